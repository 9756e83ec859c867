//! Numbers as Python writes them, whose JSON ours must equal.

use std::io::Write as _;

/// Appends a float as `json.dumps` does: the shortest digits that read back, `NaN` and `Infinity` included.
pub(crate) fn push_float(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        let name: &[u8] = if value.is_nan() {
            b"NaN"
        } else if value > 0.0 {
            b"Infinity"
        } else {
            b"-Infinity"
        };
        out.extend_from_slice(name);
        return;
    }
    let mut buffer = [0u8; 32];
    let mut room = &mut buffer[..];
    // 17 digits, a point, a sign and an exponent fit.
    let _ = write!(room, "{value:e}");
    let unused = room.len();
    let text = &buffer[..32 - unused];
    let split = text.iter().position(|&byte| byte == b'e').unwrap_or(text.len());
    let (mantissa, exponent) = (&text[..split], &text[text.len().min(split + 1)..]);
    let exponent: i32 = std::str::from_utf8(exponent).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let negative = mantissa.first() == Some(&b'-');
    let digits: Vec<u8> = mantissa.iter().copied().filter(u8::is_ascii_digit).collect();
    if negative {
        out.push(b'-');
    }
    let zeros = |out: &mut Vec<u8>, count: usize| out.resize(out.len() + count, b'0');
    match exponent {
        0..=15 => {
            let whole = exponent as usize + 1;
            out.extend_from_slice(&digits[..whole.min(digits.len())]);
            zeros(out, whole.saturating_sub(digits.len()));
            out.push(b'.');
            out.extend_from_slice(if digits.len() > whole { &digits[whole..] } else { b"0" });
        }
        -4..=-1 => {
            out.extend_from_slice(b"0.");
            zeros(out, (-exponent - 1) as usize);
            out.extend_from_slice(&digits);
        }
        _ => {
            out.push(digits[0]);
            if digits.len() > 1 {
                out.push(b'.');
                out.extend_from_slice(&digits[1..]);
            }
            let sign = if exponent < 0 { '-' } else { '+' };
            let _ = write!(out, "e{sign}{:02}", exponent.abs());
        }
    }
}

/// Appends a float, a whole one without its fraction.
pub(crate) fn push_whole_float(out: &mut Vec<u8>, value: f64) {
    if value == 0.0 {
        out.push(b'0');
    } else if value.is_finite() && value.trunc() == value {
        let _ = write!(out, "{value:.0}");
    } else {
        push_float(out, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(value: f64) -> String {
        let mut out = Vec::new();
        push_float(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_are_those_of_python() {
        // As `repr` gives them.
        let cases = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-2.5, "-2.5"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (value, expected) in cases {
            assert_eq!(float(value), expected);
        }
    }

    #[test]
    fn whole_floats_have_all_their_digits() {
        for (value, expected) in
            [(-0.0, "0"), (2.0, "2"), (1e22, "10000000000000000000000"), (-1e3, "-1000"), (0.5, "0.5")]
        {
            let mut out = Vec::new();
            push_whole_float(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
