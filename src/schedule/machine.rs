//! How much memory there is: the machine's, or what its control groups leave of that.

use std::path::{Path, PathBuf};

/// Bytes of memory that this process may use, as far as the system tells.
pub fn memory() -> Option<usize> {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    [installed(&read), group_limit(&read)].into_iter().flatten().min()
}

/// Where texts of the system come from.
type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

fn installed(read: Read) -> Option<usize> {
    let text = read(Path::new("/proc/meminfo"))?;
    let line = text.lines().find(|l| l.starts_with("MemTotal:"))?;
    let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    kib.checked_mul(1024)
}

/// The smallest limit of the groups that this process is in, and of those that these are in. Linux has two kinds of groups,
/// of which a system may have both; a process is in one group of each hierarchy, of which each is mounted somewhere.
fn group_limit(read: Read) -> Option<usize> {
    let (own, mounts) = (read(Path::new("/proc/self/cgroup"))?, read(Path::new("/proc/self/mountinfo"))?);
    let limits = mounts.lines().filter_map(Mount::parse).flat_map(|mount| {
        let group = own.lines().find_map(|line| mount.group(line)).unwrap_or_default();
        // A mount may show only what is below its own root, and the groups above that are not to be seen.
        let below = Path::new(&group).strip_prefix(&mount.root).unwrap_or(Path::new("")).to_path_buf();
        let folders: Vec<PathBuf> = below.ancestors().map(|folder| mount.at.join(folder)).collect();
        // Without a limit the text is `max`, or a number that is larger than any machine's memory.
        folders.into_iter().filter_map(move |folder| read(&folder.join(mount.file))?.trim().parse().ok())
    });
    limits.min()
}

/// Where a hierarchy of groups is mounted.
struct Mount {
    at: PathBuf,
    /// The group that is shown there.
    root: PathBuf,
    /// What the lines of `/proc/self/cgroup` call the hierarchy.
    controller: &'static str,
    /// What a limit is called there.
    file: &'static str,
}

impl Mount {
    /// Reads a line as `35 31 0:32 /root /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory`; between the options and the
    /// dash there may be more words.
    fn parse(line: &str) -> Option<Mount> {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3).map(unescaped);
        let (root, at) = (place.next()?, place.next()?);
        let mut kind = kind.split(' ');
        let (controller, file) = match (kind.next()?, kind.nth(1)?) {
            ("cgroup2", _) => ("", "memory.max"),
            ("cgroup", options) if options.split(',').any(|o| o == "memory") => ("memory", "memory.limit_in_bytes"),
            _ => return None,
        };
        Some(Mount { at, root, controller, file })
    }

    /// The group of this hierarchy in a line as `4:cpu,memory:/group`, or `0::/group`.
    fn group(&self, line: &str) -> Option<String> {
        let (controllers, group) = line.split_once(':')?.1.split_once(':')?;
        controllers.split(',').any(|c| c == self.controller).then(|| group.to_string())
    }
}

/// A path of `/proc/self/mountinfo`, where blanks and backslashes are written as `\040` and `\134`.
fn unescaped(text: &str) -> PathBuf {
    let mut parts = text.split('\\');
    let mut path = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let code = part.get(..3).and_then(|code| u8::from_str_radix(code, 8).ok()).filter(u8::is_ascii);
        match code {
            Some(code) => path.extend([&*char::from(code).to_string(), &part[3..]]),
            None => path.extend(["\\", part]),
        }
    }
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limit where the system has these files.
    fn limit(files: &[(&str, &str)]) -> Option<usize> {
        let read = |path: &Path| files.iter().find(|(at, _)| Path::new(at) == path).map(|(_, text)| text.to_string());
        group_limit(&read)
    }

    const UNIFIED: (&str, &str) = (
        "/proc/self/mountinfo",
        "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
         30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
    );

    #[test]
    fn the_smallest_limit_of_all_groups_around_counts() {
        let own = ("/proc/self/cgroup", "0::/user.slice/job\n");
        let at = |folder, text| (folder, text);
        let job = "/sys/fs/cgroup/user.slice/job/memory.max";
        let slice = "/sys/fs/cgroup/user.slice/memory.max";
        assert_eq!(limit(&[UNIFIED, own, at(job, "2000000\n"), at(slice, "max\n")]), Some(2_000_000));
        assert_eq!(limit(&[UNIFIED, own, at(job, "max\n"), at(slice, "3000000\n")]), Some(3_000_000));
        assert_eq!(limit(&[UNIFIED, own, at(job, "5000000\n"), at(slice, "3000000\n")]), Some(3_000_000));
        assert_eq!(limit(&[UNIFIED, own, at(job, "max\n"), at(slice, "max\n")]), None);
        // A neighbour's limit is not ours.
        assert_eq!(limit(&[UNIFIED, own, at("/sys/fs/cgroup/user.slice/other/memory.max", "7\n")]), None);
        // In a container the group is the root of what is to be seen.
        let inside = ("/proc/self/cgroup", "0::/\n");
        assert_eq!(limit(&[UNIFIED, inside, at("/sys/fs/cgroup/memory.max", "4000000\n")]), Some(4_000_000));
    }

    #[test]
    fn the_older_kind_of_groups_has_limits_too() {
        let mounts = (
            "/proc/self/mountinfo",
            "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
             35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:3 master:1 - cgroup cgroup rw,memory\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
        );
        let own = ("/proc/self/cgroup", "5:cpuset:/\n4:memory:/batch/job:7\n1:cpu:/elsewhere\n0::/\n");
        let root = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        let batch = ("/sys/fs/cgroup/memory/batch/memory.limit_in_bytes", "800000000\n");
        let job = ("/sys/fs/cgroup/memory/batch/job:7/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(limit(&[mounts, own, root, batch, job]), Some(800_000_000));
        // What means that there is none is more than any machine has.
        assert!(limit(&[mounts, own, root, job]).unwrap() > 1 << 60);
        let together = ("/proc/self/cgroup", "4:cpu,memory:/batch\n");
        assert_eq!(limit(&[mounts, together, root, batch]), Some(800_000_000));
    }

    #[test]
    fn a_mount_may_begin_at_a_group() {
        let mounts =
            ("/proc/self/mountinfo", "35 31 0:32 /docker/ab /my\\040groups rw,relatime - cgroup cgroup rw,memory\n");
        let limits =
            [("/my groups/memory.limit_in_bytes", "5000000\n"), ("/my groups/job/memory.limit_in_bytes", "4000000\n")];
        let of = |own: &'static str| limit(&[mounts, ("/proc/self/cgroup", own), limits[0], limits[1]]);
        assert_eq!(of("4:memory:/docker/ab\n"), Some(5_000_000));
        assert_eq!(of("4:memory:/docker/ab/job\n"), Some(4_000_000));
        // Of groups outside of it nothing is known but that one.
        assert_eq!(of("4:memory:/docker/cd\n"), Some(5_000_000));
    }

    #[test]
    fn systems_that_tell_nothing_have_no_limit() {
        assert_eq!(limit(&[]), None);
        for broken in ["", "\n", "1 2 3", "1 2 3 4 5 - cgroup2", "1 2 3 / /g - cgroup cgroup rw,memory"] {
            assert_eq!(
                limit(&[("/proc/self/mountinfo", broken), ("/proc/self/cgroup", "::\n:\nx\n")]),
                None,
                "{broken}"
            );
        }
        assert_eq!(unescaped("/a\\134b\\04\\x"), Path::new("/a\\b\\04\\x"));
    }
}
