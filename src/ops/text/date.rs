//! `date/…`: points in time as seconds since 1970-01-01 UTC, which count, compare and group as the numbers that they are; texts to and from
//! them. Formats are those of `strftime`.

use crate::data::{Args, Map, Value};
use crate::err;
use crate::op;
use crate::op::{Kind, Op};
use crate::text::{Error, Result};
use jiff::civil::DateTime;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

pub static OPS: &[Op] = &[
    op!(Kind::Now(parse), "(date/parse s :format nil)",
        "The seconds since 1970-01-01 UTC of a date or a point in time: an int, or a float where there is a fraction of a second.\n\
         Without `:format`, ISO 8601 (`2015-01-01`, `2015-01-01T12:30:00.5+01:00`) and RFC 2822 are read. What names no offset is UTC. \
         Errors: `dsk::value` where the text is none.",
        ["(date/parse \"2015-01-01\")" => "1420070400", "(date/parse \"2015-01-01T12:30:00.5+01:00\")" => "1420111800.5",
         "(date/parse \"10/Oct/2000:13:55:36 -0700\" \"%d/%b/%Y:%H:%M:%S %z\")" => "971211336"],
        ["date/format", "date/parts"]),
    op!(Kind::Now(format), "(date/format t :format \"%Y-%m-%dT%H:%M:%SZ\")",
        "Seconds since 1970-01-01 UTC as text, in UTC.",
        ["(date/format 1420070400)" => "\"2015-01-01T00:00:00Z\"", "(date/format 1420070400 \"%a %d %b, %H h\")" => "\"Thu 01 Jan, 00 h\""],
        ["date/parse"]),
    op!(Kind::Now(parts), "(date/parts t)",
        "The `:year :month :day :hour :minute :second` of seconds since 1970-01-01 UTC, the `:weekday` from 1 for Monday to 7, and the `:yearday` \
         from 1.",
        ["(:hour (date/parts (date/parse \"2015-01-01T12:30:00Z\")))" => "12",
         "(map (date/parts 0) [:year :weekday :yearday])" => "[1970 4 1]"],
        ["date/parse"]),
];

/// The point in time that a text names without a format.
pub(super) fn read(text: &str) -> Option<Value> {
    let text = text.trim();
    let at_utc = |civil: DateTime| civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let found = text.parse::<Timestamp>().ok();
    let found = found.or_else(|| text.parse::<DateTime>().ok().and_then(at_utc));
    let found = found.or_else(|| rfc2822::parse(text).ok().map(|zoned| zoned.timestamp()));
    found.map(seconds)
}

fn seconds(at: Timestamp) -> Value {
    match at.subsec_nanosecond() {
        0 => Value::Int(at.as_second()),
        _ => Value::Float(at.as_nanosecond() as f64 / 1e9),
    }
}

fn parse(args: Args) -> Result<Value> {
    let text = args.text("s")?;
    let wrong = |help: String| {
        err!(Value, "date/parse: {:?} is no date or point in time", text.as_str())
            .label(args.span, "in this call")
            .help(help)
    };
    let Some(format) = args.text_or_nil("format")? else {
        return read(&text).ok_or_else(|| wrong("`:format \"%d/%b/%Y\"` says how it is written".into()));
    };
    let broken = strtime::parse(format.as_bytes(), text.as_bytes()).map_err(|problem| wrong(problem.to_string()))?;
    let civil = || broken.to_datetime().or_else(|_| broken.to_date().map(|date| date.at(0, 0, 0, 0)));
    let at = broken.to_timestamp().or_else(|_| civil()?.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()));
    at.map(seconds).map_err(|problem| wrong(problem.to_string()))
}

/// The point in time of a number.
fn time(args: &Args) -> Result<Zoned> {
    let value = args.value("t");
    let at = match (value.as_int(), value.as_float()) {
        (Some(n), _) => Timestamp::from_second(n).ok(),
        (_, Some(x)) if x.is_finite() => Timestamp::from_nanosecond((x * 1e9).round() as i128).ok(),
        (_, Some(_)) => None,
        _ => return Err(args.wrong("t", "seconds since 1970")),
    };
    let beyond =
        || err!(Value, "{}: {value:?} seconds since 1970 are in no year from -9999 to 9999", args.function.name);
    at.map(|at| at.to_zoned(TimeZone::UTC)).ok_or_else(|| beyond().label(args.span, "in this call"))
}

fn format(args: Args) -> Result<Value> {
    let (at, format) = (time(&args)?, args.text("format")?);
    let wrong = |problem: jiff::Error| -> Error {
        err!(Value, "date/format: {:?} is no format of dates", format.as_str())
            .label(args.span, "in this call")
            .help(problem.to_string())
    };
    strtime::format(format.as_bytes(), &at).map(Value::from).map_err(wrong)
}

fn parts(args: Args) -> Result<Value> {
    let at = time(&args)?;
    let mut parts = Map::with_capacity(8);
    let own: [(&str, i64); 8] = [
        ("year", at.year().into()),
        ("month", at.month().into()),
        ("day", at.day().into()),
        ("hour", at.hour().into()),
        ("minute", at.minute().into()),
        ("second", at.second().into()),
        ("weekday", at.weekday().to_monday_one_offset().into()),
        ("yearday", at.day_of_year().into()),
    ];
    own.into_iter().for_each(|(name, n)| parts.set(name, Value::Int(n)));
    Ok(Value::map(parts))
}
