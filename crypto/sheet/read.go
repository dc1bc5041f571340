package sheet

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/crypto/paper"
)

// Bounds of a file that Read reads.
const (
	largest    = 1 << 20 // bytes
	mostSheets = 256
)

// Read reads a sheet that was typed, or scanned from its QR code, or the file that was printed. It
// fails with crypto.ErrDamaged if something is wrong with it, and says where. It repeats no secret.
func Read(r io.Reader) (Sheet, error) {
	parts, err := ReadAll(r, "sheet")
	switch {
	case err != nil:
		return Sheet{}, err
	case len(parts) == 1:
		return parts[0].Sheet, parts[0].Err
	}
	for _, p := range parts {
		if p.Err != nil {
			return Sheet{}, fmt.Errorf("%s: %w", p.Name, p.Err)
		}
	}
	return Sheet{}, fmt.Errorf("%w: it has %d sheets: give each a file of its own", crypto.ErrDamaged, len(parts))
}

// ReadAll reads the sheets of one file, at least one, as Read does. A sheet that is there twice
// counts once. It names the sheets after the file, and numbers them if there are several. It fails
// if the file cannot be read at all.
func ReadAll(r io.Reader, name string) (parts []Part, err error) {
	file, err := io.ReadAll(io.LimitReader(r, largest+1))
	if err == nil && len(file) > largest {
		err = fmt.Errorf("it has more than %d bytes: it is no sheet", largest)
	}
	if err != nil {
		return nil, err
	}
	text := paper.UTF8(file)
	if strings.HasPrefix(strings.TrimSpace(text), "<") {
		text = textsOf(text)
	}
	known := map[string]bool{}
	texts := paper.Texts(text)
	if len(texts) > mostSheets {
		return nil, fmt.Errorf("it has %d sheets: at most %d are read", len(texts), mostSheets)
	}
	for i, text := range texts {
		data, err := paper.Decode(text)
		if err == nil && known[string(data)] {
			continue
		}
		known[string(data)] = err == nil
		p := Part{Name: name}
		if len(texts) > 1 {
			p.Name = fmt.Sprintf("%s, sheet %d", name, i+1)
		}
		p.Sheet, p.Err = read(text, data, err)
		parts = append(parts, p)
	}
	return parts, nil
}

// read returns the sheet of a text that was decoded.
func read(text string, data []byte, err error) (Sheet, error) {
	if errors.Is(err, paper.ErrNone) && strings.Contains(strings.ToUpper(text), "AGE-SECRET-KEY-") {
		return Sheet{}, fmt.Errorf("this is the key for age; it is an identity file as it is: name it with -i: %w", crypto.ErrDamaged)
	}
	if err != nil {
		return Sheet{}, fmt.Errorf("%w: %w", crypto.ErrDamaged, err)
	}
	s, err := decode(data)
	if err != nil {
		return Sheet{}, fmt.Errorf("%w: the rows are right, but not of a sheet: %w", crypto.ErrDamaged, err)
	}
	return s, nil
}

// textsOf returns the texts of an SVG file, each on a line, as far as it can be read.
func textsOf(svg string) string {
	var texts strings.Builder
	in := xml.NewDecoder(strings.NewReader(svg))
	in.CharsetReader = func(_ string, plain io.Reader) (io.Reader, error) { return plain, nil }
	for {
		token, err := in.Token()
		if err != nil {
			return texts.String()
		}
		if text, ok := token.(xml.CharData); ok {
			texts.Write(text)
			texts.WriteByte('\n')
		}
	}
}
