//! Where PDFs are drawn: lines, areas and letters of one page, by the same calls as SVGs and dots.

use super::letters::Letters;
use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontTransform,
};
use std::convert::Infallible;

/// Points of print for one unit of the SVG.
const POINTS: f32 = 0.61;

/// Dots for one unit, in each direction: where things are is a whole number of them.
pub const FINE: u32 = 16;

/// Where the ends of Bezier curves that make a quarter of a circle point to.
const QUARTER: f32 = 0.552_284_8;

/// Size of letters over that of the box which they are asked for with, as in SVGs.
const LETTERS: f32 = 1.0 / 1.24;

/// How far below its anchor a text stands, in units of its size, as in SVGs: by the height of digits, or of half a small letter.
const TOP: f32 = 0.76;
const CENTER: f32 = 0.27;

const FONT: Name<'static> = Name(b"F");

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// A page that is being drawn.
pub struct Page {
    size: (u32, u32),
    content: Content,
    letters: Letters,
    /// Parts of colours that have been used.
    opacities: Vec<f64>,
}

impl Page {
    /// An empty page of so many units.
    pub fn new((width, height): (u32, u32)) -> Self {
        let size = (width * FINE, height * FINE);
        let mut content = Content::new();
        // Dots, from the top.
        let dot = POINTS / FINE as f32;
        content.transform([dot, 0.0, 0.0, -dot, 0.0, height as f32 * POINTS]);
        Self { size, content, letters: Letters::new(), opacities: Vec::new() }
    }

    /// The file.
    ///
    /// # Errors
    /// Letters that cannot be embedded.
    pub fn finish(self) -> Result<Vec<u8>, String> {
        let [catalog, pages, page, content] = [1, 2, 3, 4].map(Ref::new);
        let first_of_font = 5;
        let first_of_opacities = first_of_font + Letters::OBJECTS;
        let mut pdf = Pdf::new();
        pdf.catalog(catalog).pages(pages);
        pdf.pages(pages).kids([page]).count(1);
        let [width, height] = [self.size.0, self.size.1].map(|dots| dots as f32 * POINTS / FINE as f32);
        let mut this = pdf.page(page);
        this.parent(pages).media_box(Rect::new(0.0, 0.0, width, height)).contents(content);
        let mut resources = this.resources();
        resources.fonts().pair(FONT, Ref::new(first_of_font));
        let mut states = resources.ext_g_states();
        for place in 0..self.opacities.len() {
            states.pair(Name(&opacity(place)), Ref::new(first_of_opacities + place as i32));
        }
        states.finish();
        resources.finish();
        this.finish();
        for (place, part) in self.opacities.iter().enumerate() {
            let mut state = pdf.ext_graphics(Ref::new(first_of_opacities + place as i32));
            state.stroking_alpha(*part as f32).non_stroking_alpha(*part as f32);
        }
        pdf.stream(content, &self.content.finish());
        self.letters.embed(&mut pdf, first_of_font)?;
        Ok(pdf.finish())
    }

    /// Colour, opacity and width of what comes next; nothing if it cannot be seen.
    fn paint(&mut self, color: BackendColor, width: u32) -> Option<&mut Content> {
        if color.alpha == 0.0 {
            return None;
        }
        let place = self.opacities.iter().position(|part| *part == color.alpha).unwrap_or_else(|| {
            self.opacities.push(color.alpha);
            self.opacities.len() - 1
        });
        let [red, green, blue] = [color.rgb.0, color.rgb.1, color.rgb.2].map(|part| f32::from(part) / 255.0);
        self.content.set_parameters(Name(&opacity(place)));
        self.content.set_stroke_rgb(red, green, blue).set_fill_rgb(red, green, blue);
        Some(self.content.set_line_width(width as f32))
    }
}

/// A path that is to be filled or drawn.
fn outline(content: &mut Content, path: impl IntoIterator<Item = BackendCoord>) {
    for (number, (x, y)) in path.into_iter().enumerate() {
        match number {
            0 => content.move_to(x as f32, y as f32),
            _ => content.line_to(x as f32, y as f32),
        };
    }
}

/// Fills a path, or draws its line.
fn finish(content: &mut Content, fill: bool) {
    match fill {
        true => content.fill_nonzero(),
        false => content.stroke(),
    };
}

/// The name of an opacity.
fn opacity(place: usize) -> Vec<u8> {
    format!("O{place}").into_bytes()
}

/// What draws on a page.
pub struct Pen<'a>(pub &'a mut Page);

impl DrawingBackend for Pen<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.0.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn {
        if let Some(content) = self.0.paint(color, 0) {
            content.rect(point.0 as f32, point.1 as f32, 1.0, 1.0).fill_nonzero();
        }
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        if let Some(content) = self.0.paint(style.color(), style.stroke_width()) {
            content.rect(left as f32, top as f32, (right - left) as f32, (bottom - top) as f32);
            finish(content, fill);
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        if let Some(content) = self.0.paint(style.color(), style.stroke_width()) {
            outline(content, path);
            content.stroke();
        }
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let (x, y, r) = (x as f32, y as f32, radius as f32);
        if let Some(content) = self.0.paint(style.color(), style.stroke_width()) {
            let k = QUARTER * r;
            content.move_to(x + r, y);
            content.cubic_to(x + r, y + k, x + k, y + r, x, y + r);
            content.cubic_to(x - k, y + r, x - r, y + k, x - r, y);
            content.cubic_to(x - r, y - k, x - k, y - r, x, y - r);
            content.cubic_to(x + k, y - r, x + r, y - k, x + r, y).close_path();
            finish(content, fill);
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        if let Some(content) = self.0.paint(style.color(), style.stroke_width()) {
            outline(content, path);
            content.close_path().fill_nonzero();
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn {
        let (letters, width) = self.0.letters.spell(text);
        let size = style.size() as f32 * LETTERS;
        let along = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -0.5 * width * size,
            HPos::Right => -width * size,
        };
        let below = match style.anchor().v_pos {
            VPos::Top => TOP * size,
            VPos::Center => CENTER * size,
            VPos::Bottom => -CENTER * size,
        };
        // What is to the right along the text.
        let (cos, sin) = match style.transform() {
            FontTransform::None => (1.0, 0.0),
            FontTransform::Rotate90 => (0.0, 1.0),
            FontTransform::Rotate180 => (-1.0, 0.0),
            FontTransform::Rotate270 => (0.0, -1.0),
        };
        let start = [x as f32 + cos * along - sin * below, y as f32 + sin * along + cos * below];
        if let Some(content) = self.0.paint(style.color(), 0) {
            content.begin_text().set_font(FONT, size);
            // The page is counted from the top, letters stand upright.
            content.set_text_matrix([cos, sin, sin, -cos, start[0], start[1]]);
            content.show(pdf_writer::Str(&letters)).end_text();
        }
        Ok(())
    }
}
