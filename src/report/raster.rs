//! Dots as a PNG file.

/// Dots drawn for one dot of the PNG, in each direction: their mean smooths edges.
pub const FINER: u32 = 2;

/// The file for so many dots as drawn.
///
/// # Errors
/// What cannot be encoded.
pub fn png(dots: &[u8], (width, height): (u32, u32)) -> Result<Vec<u8>, String> {
    let dots = smoothed(dots, width as usize, height as usize);
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width / FINER, height / FINER);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().map_err(|error| error.to_string())?;
    writer.write_image_data(&dots).map_err(|error| error.to_string())?;
    writer.finish().map_err(|error| error.to_string())?;
    Ok(file)
}

/// Means of squares of dots.
fn smoothed(dots: &[u8], width: usize, height: usize) -> Vec<u8> {
    let fine = FINER as usize;
    let mean = |row: usize, column: usize, colour: usize| {
        let offsets = (0..fine * fine).map(|k| (row * fine + k / fine) * width + column * fine + k % fine);
        let sum: usize = offsets.map(|dot| usize::from(dots[3 * dot + colour])).sum();
        (sum / (fine * fine)) as u8
    };
    let places = (0..height / fine).flat_map(|row| (0..width / fine).map(move |column| (row, column)));
    places.flat_map(|(row, column)| [0, 1, 2].map(|colour| mean(row, column, colour))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_is_the_mean_of_its_square() {
        let grey = [10, 20, 30, 60, 50, 90, 70, 200];
        let dots: Vec<u8> = grey.iter().flat_map(|value| [*value, 0, 0]).collect();
        assert_eq!(smoothed(&dots, 4, 2), [42, 0, 0, 90, 0, 0]);
    }
}
