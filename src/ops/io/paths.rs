//! Names of files: `glob`, `list-dir`, and `path/…`, which take names apart without looking at any file.

use crate::data::{Args, Value};
use crate::err;
use crate::io::text;
use crate::op;
use crate::op::{Kind, Op};
use crate::text::Result;
use std::path::{Path, PathBuf};

pub static OPS: &[Op] = &[
    op!(Kind::Now(glob), "(glob pattern)",
        "The names of files and folders that a pattern matches, in order: `*` and `?` are any characters of a name, `[ab]` one of these, `**` folders \
         in folders.",
        ["(glob \"no-such-folder/*\")" => "[]"], ["list-dir", "read-text"]),
    op!(
        Kind::Now(list_dir),
        "(list-dir folder)",
        "The names of what is in a folder, in order. Errors: `dsk::io`.",
        [],
        ["glob", "path/join"]
    ),
    op!(Kind::Now(join), "(path/join & parts)", "Names of folders and a file as one path; an absolute one begins anew.",
        ["(path/join \"logs\" \"a.txt\")" => "\"logs/a.txt\""], ["path/parent"]),
    op!(Kind::Now(name), "(path/name path)", "The last name of a path.", ["(path/name \"logs/a.tar.gz\")" => "\"a.tar.gz\""], ["path/stem", "path/parent"]),
    op!(Kind::Now(stem), "(path/stem path)", "The last name without its ending.", ["(path/stem \"logs/a.txt\")" => "\"a\""], ["path/ext", "path/name"]),
    op!(Kind::Now(ext), "(path/ext path)", "The ending, with its dot; empty where there is none.",
        ["(path/ext \"logs/a.txt\")" => "\".txt\"", "(path/ext \"README\")" => "\"\""], ["path/stem"]),
    op!(Kind::Now(parent), "(path/parent path)", "What comes before the last name.", ["(path/parent \"logs/a.txt\")" => "\"logs\""], ["path/name"]),
    op!(Kind::Now(exists), "(path/exists? path)", "Whether there is a file or folder of that name.", ["(path/exists? \"no-such-file\")" => "false"], ["path/file?"]),
    op!(Kind::Now(is_file), "(path/file? path)", "Whether there is a file of that name.", ["(path/file? \"no-such-file\")" => "false"], ["path/exists?"]),
    op!(Kind::Now(size), "(path/size path)", "How many bytes a file has. Errors: `dsk::io`.", [], ["path/exists?"]),
];

fn shown(path: &Path) -> Value {
    Value::from(path.to_string_lossy().into_owned())
}

fn path(args: &Args) -> Result<PathBuf> {
    args.name("path").map(|name| PathBuf::from(name.as_str()))
}

fn glob(args: Args) -> Result<Value> {
    let found = text::matching(&args.name("pattern")?)?;
    Ok(Value::list(found.iter().map(|path| shown(path)).collect()))
}

fn list_dir(args: Args) -> Result<Value> {
    let folder = PathBuf::from(args.name("folder")?.as_str());
    let failed = |error: std::io::Error| text::failed(&folder, "listed", &error);
    let mut names = Vec::new();
    for (n, entry) in std::fs::read_dir(&folder).map_err(failed)?.enumerate() {
        args.check_interrupt(n)?;
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(Value::list(names.into_iter().map(Value::from).collect()))
}

fn join(args: Args) -> Result<Value> {
    let mut all = PathBuf::new();
    for part in &args.rest {
        all.push(part.as_text().ok_or_else(|| args.wrong_value("parts", part, "strings"))?);
    }
    Ok(shown(&all))
}

fn name(args: Args) -> Result<Value> {
    Ok(path(&args)?.file_name().map_or_else(|| Value::from(""), |name| shown(Path::new(name))))
}

fn stem(args: Args) -> Result<Value> {
    Ok(path(&args)?.file_stem().map_or_else(|| Value::from(""), |name| shown(Path::new(name))))
}

fn ext(args: Args) -> Result<Value> {
    Ok(Value::from(
        path(&args)?.extension().map_or_else(String::new, |ending| format!(".{}", ending.to_string_lossy())),
    ))
}

fn parent(args: Args) -> Result<Value> {
    Ok(path(&args)?.parent().map_or_else(|| Value::from(""), shown))
}

fn exists(args: Args) -> Result<Value> {
    Ok(Value::Bool(path(&args)?.exists()))
}

fn is_file(args: Args) -> Result<Value> {
    Ok(Value::Bool(path(&args)?.is_file()))
}

fn size(args: Args) -> Result<Value> {
    let path = path(&args)?;
    let found = std::fs::metadata(&path).map_err(|error| text::failed(&path, "read", &error))?;
    i64::try_from(found.len()).map(Value::Int).map_err(|_| err!(Overflow, "`{}` is too long", path.display()))
}
