//! The colours of an order.

/// Colours from dark to light, of steps that look alike (viridis, S. van der Walt and N. Smith, 2015).
const SCALE: [[u8; 3]; 5] = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

/// The colour for a place between 0 and 1, and one in which text can be read on it.
pub fn colours(place: f64) -> (String, &'static str) {
    let at = place.clamp(0.0, 1.0) * (SCALE.len() - 1) as f64;
    let (from, share) = ((at as usize).min(SCALE.len() - 2), at.fract() + if at >= 4.0 { 1.0 } else { 0.0 });
    let mix = |c: usize| {
        let (a, b) = (f64::from(SCALE[from][c]), f64::from(SCALE[from + 1][c]));
        (a + (b - a) * share).round() as u8
    };
    let font = if place < 0.55 { "#ffffff" } else { "#111827" };
    (format!("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2)), font)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_begins_and_ends_with_its_colours() {
        assert_eq!([0.0, 0.25, 1.0].map(|place| colours(place).0), ["#440154", "#3b528b", "#fde725"]);
    }
}
