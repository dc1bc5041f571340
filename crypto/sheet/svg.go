package sheet

import (
	"fmt"
	"html"
	"image/color"
	"strings"
	"time"

	"github.com/boombuler/barcode/qr"
)

// Measures of the page, in millimetres: an A4 page, or a longer one if the address is long.
const (
	pageWidth, pageHeight = 210, 297
	margin                = 15
	codeSize              = 82
	quiet                 = 4 // modules around a QR code that stay white
)

// SVG returns the sheet as a page to print, with QR codes. made is the day that it names.
func (s Sheet) SVG(made time.Time) ([]byte, error) {
	p, err := s.page(made, true)
	if err != nil {
		return nil, fmt.Errorf("print the sheet: %w", err)
	}
	d := &drawing{y: margin + 5}
	d.text("sans-serif", 7, p.title)
	for _, line := range p.warning {
		d.text("sans-serif", 4.2, line)
	}
	d.y += 3
	for _, fact := range p.facts {
		d.text("monospace", 3.4, fmt.Sprintf("%-12s%s", fact[0], fact[1]))
	}
	d.y += 3
	for _, line := range p.steps {
		d.text("monospace", 3.4, line)
	}
	d.y += 3
	for _, row := range p.rows {
		d.text("monospace", 4.2, row)
	}
	d.y = max(d.y+2, pageHeight-margin-codeSize-8)
	for i, c := range p.codes {
		if err := d.code(float64(margin+i*(pageWidth-2*margin-codeSize)), c); err != nil {
			return nil, err
		}
	}
	return d.page(d.y + codeSize + 8 + margin), nil
}

// drawing is a page in the making, from top to bottom.
type drawing struct {
	body strings.Builder
	y    float64 // of the next line's base
}

func (d *drawing) text(font string, size float64, line string) {
	d.put(margin, font, size, line)
	d.y += size * 1.35
}

// put draws a line. A line that is too long is squeezed rather than cut off.
func (d *drawing) put(x float64, font string, size float64, line string) {
	squeeze, share := "", 0.6 // of the size, is how wide a character is
	if font != "monospace" {
		share = 0.5
	}
	if width := pageWidth - 2*margin; float64(len([]rune(line)))*size*share > float64(width) {
		squeeze = fmt.Sprintf(` textLength="%d" lengthAdjust="spacingAndGlyphs"`, width)
	}
	fmt.Fprintf(&d.body, `<text x="%.1f" y="%.1f" font-family="%s" font-size="%.1f"%s xml:space="preserve">%s</text>`+"\n",
		x, d.y, font, size, squeeze, html.EscapeString(line))
}

// code draws a QR code with its caption below the current line.
func (d *drawing) code(x float64, c code) error {
	image, err := qr.Encode(c.content, qr.M, qr.AlphaNumeric)
	if err != nil {
		return fmt.Errorf("QR code of %s: %w", c.caption, err)
	}
	size := image.Bounds().Dx()
	dark := func(x, y int) bool { return color.GrayModel.Convert(image.At(x, y)).(color.Gray).Y < 128 }
	fmt.Fprintf(&d.body, `<path transform="translate(%.1f %.1f) scale(%.4f) translate(%d %d)" shape-rendering="crispEdges" d="`,
		x, d.y, float64(codeSize)/float64(size+2*quiet), quiet, quiet)
	for y := range size {
		for x := 0; x < size; x++ {
			from := x
			for x < size && dark(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&d.body, "M%d %dh%dv1h-%dz", from, y, x-from, x-from)
			}
		}
	}
	d.body.WriteString("\"/>\n")
	above := d.y
	d.y += codeSize + 3
	d.put(x+6, "sans-serif", 3.6, c.caption)
	d.y = above
	return nil
}

// page returns the finished page, of at least the usual height.
func (d *drawing) page(height float64) []byte {
	height = max(height, pageHeight)
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="%dmm" height="%.0fmm" viewBox="0 0 %d %.0f">
<rect width="%d" height="%.0f" fill="#fff"/>
%s</svg>
`, pageWidth, height, pageWidth, height, pageWidth, height, d.body.String())
}
