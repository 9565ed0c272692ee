//! Letters of a PDF: those that are used, embedded, with what they mean, so that text can be searched and copied.

use ab_glyph::{Font, FontRef};
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Name, Pdf, Rect, Ref, Str};
use std::collections::BTreeMap;
use subsetter::{GlyphRemapper, subset};

/// The name of the font: six letters mark a part of one.
const NAME: Name<'static> = Name(b"FLOWQC+DejaVuSans");

/// Glyphs are numbered as they are.
const IDENTITY: Name<'static> = Name(b"Identity");

/// Units of an em in a PDF.
const EM: f32 = 1000.0;

const NUMBERING: SystemInfo<'static> =
    SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

/// DejaVu Sans, and what has been written with it.
pub struct Letters {
    font: FontRef<'static>,
    remapper: GlyphRemapper,
    /// By the number in the part: the letter, and its width in ems.
    used: BTreeMap<u16, (char, f32)>,
}

impl Letters {
    /// Objects of the PDF that it takes.
    pub const OBJECTS: i32 = 5;

    /// Nothing is written yet.
    pub fn new() -> Self {
        let font = FontRef::try_from_slice(dejavu::sans::regular()).expect("a font");
        Self { font, remapper: GlyphRemapper::new(), used: BTreeMap::new() }
    }

    /// A text by the numbers of its glyphs, and its width in ems.
    pub fn spell(&mut self, text: &str) -> (Vec<u8>, f32) {
        let em = self.font.units_per_em().unwrap_or(EM);
        let (mut numbers, mut width) = (Vec::new(), 0.0);
        for letter in text.chars() {
            let glyph = self.font.glyph_id(letter);
            let number = self.remapper.remap(glyph.0);
            let own = self.font.h_advance_unscaled(glyph) / em;
            self.used.insert(number, (letter, own));
            numbers.extend(number.to_be_bytes());
            width += own;
        }
        (numbers, width)
    }

    /// Writes the font as [`Self::OBJECTS`] objects, of which the first is what texts refer to.
    ///
    /// # Errors
    /// A font of which no part can be made.
    pub fn embed(&self, pdf: &mut Pdf, first: i32) -> Result<(), String> {
        let [font, glyphs, descriptor, meanings, file] = [0, 1, 2, 3, 4].map(|next| Ref::new(first + next));
        let part = subset(dejavu::sans::regular(), 0, &self.remapper).map_err(|error| error.to_string())?;
        let mut composite = pdf.type0_font(font);
        composite.base_font(NAME).encoding_predefined(Name(b"Identity-H"));
        composite.descendant_font(glyphs).to_unicode(meanings);
        drop(composite);
        let mut simple = pdf.cid_font(glyphs);
        simple.subtype(CidFontType::Type2).base_font(NAME).system_info(NUMBERING);
        simple.font_descriptor(descriptor).default_width(0.0).cid_to_gid_map_predefined(IDENTITY);
        let mut widths = simple.widths();
        for (number, (_, width)) in &self.used {
            widths.consecutive(*number, [width * EM]);
        }
        drop(widths);
        drop(simple);
        let em = self.font.units_per_em().unwrap_or(EM);
        let scaled = |units: f32| units / em * EM;
        let (ascent, descent) = (scaled(self.font.ascent_unscaled()), scaled(self.font.descent_unscaled()));
        let mut about = pdf.font_descriptor(descriptor);
        about.name(NAME).flags(FontFlags::SYMBOLIC).italic_angle(0.0).stem_v(80.0);
        about.bbox(Rect::new(-EM, descent, 2.0 * EM, ascent));
        about.ascent(ascent).descent(descent).cap_height(ascent).font_file2(file);
        drop(about);
        let mut unicode = UnicodeCmap::new(NAME, NUMBERING);
        self.used.iter().for_each(|(number, (letter, _))| unicode.pair(*number, *letter));
        pdf.stream(meanings, &unicode.finish());
        pdf.stream(file, &part);
        Ok(())
    }
}
