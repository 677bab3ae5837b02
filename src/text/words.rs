//! Numbers and shapes, as sentences say them.

/// So many of something: `1 axis`, `2 axes`.
pub fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// A shape as users write it: `[2 3]`.
pub fn shape(sizes: &[usize]) -> String {
    let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
    format!("[{}]", sizes.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "axis", "axes")), ["0 axes", "1 axis", "2 axes"]);
        assert_eq!([shape(&[]), shape(&[3]), shape(&[2, 0])], ["[]", "[3]", "[2 0]"]);
    }
}
