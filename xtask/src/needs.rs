//! What the machine must have besides Rust, and how to get it.

use crate::{Result, run, shown};
use std::process::{Command, Stdio};

/// One thing that must be there, and the packages that bring it.
pub struct Need {
    what: &'static str,
    is_there: fn() -> bool,
    apt: &'static [&'static str],
    dnf: &'static [&'static str],
    pacman: &'static [&'static str],
    brew: &'static [&'static str],
}

const COMPILER: Need = Need {
    what: "a C compiler",
    is_there: || succeeds(Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into())).arg("--version")),
    apt: &["gcc", "libc6-dev"],
    dnf: &["gcc"],
    pacman: &["gcc"],
    brew: &[],
};

const PKG_CONFIG: Need = Need {
    what: "pkg-config",
    is_there: || cfg!(target_os = "macos") || succeeds(Command::new("pkg-config").arg("--version")),
    apt: &["pkg-config"],
    dnf: &["pkgconf-pkg-config"],
    pacman: &["pkgconf"],
    brew: &["pkgconf"],
};

const HDF5: Need = Need {
    what: "the HDF5 library",
    is_there: || {
        std::env::var_os("HDF5_DIR").is_some()
            || succeeds(Command::new("pkg-config").args(["--exists", "hdf5"]))
            || cfg!(target_os = "macos") && succeeds(Command::new("brew").args(["list", "hdf5"]))
    },
    apt: &["libhdf5-dev"],
    dnf: &["hdf5-devel"],
    pacman: &["hdf5"],
    brew: &["hdf5"],
};

/// The tests exchange files with h5py.
const H5PY: Need = Need {
    what: "Python with h5py",
    is_there: || python().is_some(),
    apt: &["python3-h5py"],
    dnf: &["python3-h5py"],
    pacman: &["python-h5py"],
    brew: &[],
};

pub const BUILD: &[Need] = &[COMPILER, PKG_CONFIG, HDF5];
pub const TEST: &[Need] = &[COMPILER, PKG_CONFIG, HDF5, H5PY];

struct Manager {
    program: &'static str,
    update: &'static [&'static str],
    install: &'static [&'static str],
    packages: fn(&Need) -> &'static [&'static str],
    as_root: bool,
}

const MANAGERS: [Manager; 4] = [
    Manager {
        program: "apt-get",
        update: &["update", "-qq"],
        install: &["install", "-y", "--no-install-recommends"],
        packages: |need| need.apt,
        as_root: true,
    },
    Manager { program: "dnf", update: &[], install: &["install", "-y"], packages: |need| need.dnf, as_root: true },
    Manager {
        program: "pacman",
        update: &[],
        install: &["-S", "--needed", "--noconfirm"],
        packages: |need| need.pacman,
        as_root: true,
    },
    Manager { program: "brew", update: &[], install: &["install"], packages: |need| need.brew, as_root: false },
];

/// Installs what is missing, saying what it does; where it may not, says what to do instead.
pub fn install(needs: &[Need]) -> Result {
    let missing: Vec<&Need> = needs.iter().filter(|need| !(need.is_there)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let what = missing.iter().map(|need| need.what).collect::<Vec<_>>().join(", ");
    let Some(manager) = MANAGERS.iter().find(|m| succeeds(Command::new(m.program).arg("--version"))) else {
        return Err(format!("missing: {what}. There is no package manager known here; please install them"));
    };
    let packages: Vec<&str> = missing.iter().flat_map(|need| (manager.packages)(need)).copied().collect();
    let mut install = elevated(manager);
    install.args(manager.install).args(&packages);
    if packages.is_empty() {
        return Err(format!("missing: {what}, which {} does not have; please install it", manager.program));
    }
    if manager.as_root && !is_root() && !succeeds(Command::new("sudo").arg("--version")) {
        return Err(format!("missing: {what}. As root, run: {}", shown(&install)));
    }
    println!("missing: {what}");
    if !manager.update.is_empty() {
        let mut update = elevated(manager);
        run(update.args(manager.update))?;
    }
    println!("running: {}", shown(&install));
    run(&mut install)?;
    match missing.iter().find(|need| !(need.is_there)()) {
        None => Ok(()),
        Some(need) => Err(format!("{} is still missing after `{}`", need.what, shown(&install))),
    }
}

fn elevated(manager: &Manager) -> Command {
    let mut command = if manager.as_root && !is_root() {
        let mut sudo = Command::new("sudo");
        sudo.args(["DEBIAN_FRONTEND=noninteractive", manager.program]);
        sudo
    } else {
        Command::new(manager.program)
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").stderr(Stdio::null()).output();
    id.is_ok_and(|out| out.stdout.trim_ascii() == b"0")
}

/// The first Python that has h5py: the one of the package manager need not be the first on the path.
pub fn python() -> Option<String> {
    let asked = std::env::var("DSK_PYTHON").ok();
    let candidates = asked.into_iter().chain(["python3", "/usr/bin/python3"].map(String::from));
    candidates.into_iter().find(|python| succeeds(Command::new(python).args(["-c", "import h5py"])))
}

/// Whether a command starts and succeeds; its output is not shown.
fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}
