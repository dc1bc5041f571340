package sheet

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/crypto/paper"
)

// largest is the most bytes of a file that Read reads.
const largest = 1 << 20

// Read reads a sheet that was typed, or scanned from its QR code, or the file that was printed. It
// fails with crypto.ErrDamaged if something is wrong with it, and says where. It repeats no secret.
func Read(r io.Reader) (Sheet, error) {
	text, err := io.ReadAll(io.LimitReader(r, largest+1))
	if err == nil && len(text) > largest {
		err = fmt.Errorf("it has more than %d bytes: it is no sheet", largest)
	}
	if err != nil {
		return Sheet{}, err
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("<")) {
		text = textsOf(text)
	}
	data, err := paper.Decode(string(text))
	if errors.Is(err, paper.ErrNone) && strings.Contains(strings.ToUpper(string(text)), "AGE-SECRET-KEY-") {
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
func textsOf(svg []byte) []byte {
	var texts bytes.Buffer
	in := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := in.Token()
		if err != nil {
			return texts.Bytes()
		}
		if text, ok := token.(xml.CharData); ok {
			texts.Write(text)
			texts.WriteByte('\n')
		}
	}
}
