//! Numbers of bytes, as messages say them.

use std::fmt;

/// A number of bytes as people read it: `8 B`, `1.5 kB`, `64 GB`.
pub struct Bytes(pub usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut amount = self.0 as f64;
        if self.0 < 1000 {
            return write!(f, "{} B", self.0);
        }
        for unit in ["kB", "MB", "GB", "TB", "PB"] {
            amount /= 1000.0;
            if amount < 999.5 {
                return if amount < 9.95 && amount.fract() > 0.049 {
                    write!(f, "{amount:.1} {unit}")
                } else {
                    write!(f, "{amount:.0} {unit}")
                };
            }
        }
        write!(f, "{:.0} EB", amount / 1000.0)
    }
}
