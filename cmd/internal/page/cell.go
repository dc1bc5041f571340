package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/database"
)

// cell is a value of a row as it is shown.
type cell struct {
	Kind string      `json:"kind"` // null, number, text or binary
	Text output.Name `json:"text"` // its beginning; of binary values in hexadecimal
	Size int64       `json:"size"` // of text and binary values, in bytes
	Cut  bool        `json:"cut"`  // Text is the beginning alone
}

// How many bytes of a value are shown.
const (
	cellShown   = 160
	binaryShown = 16
)

// shownCell returns a value as it is shown.
func shownCell(c database.Cell, kind database.Kind) cell {
	switch c.Class {
	case database.ClassInt:
		if kind == database.Bool {
			return cell{Kind: "text", Text: output.Name(strconv.FormatBool(c.Int != 0))}
		}
		return cell{Kind: "number", Text: output.Name(strconv.FormatInt(c.Int, 10))}
	case database.ClassFloat:
		return cell{Kind: "number", Text: output.Name(strconv.FormatFloat(c.Float, 'g', -1, 64))}
	case database.ClassText:
		return shownText(c, kind)
	case database.ClassBlob:
		begin, size := beginningOf(c, binaryShown)
		return cell{Kind: "binary", Text: output.Name(hex.EncodeToString(begin)), Size: size, Cut: size > int64(len(begin))}
	}
	return cell{Kind: "null"}
}

func shownText(c database.Cell, kind database.Kind) cell {
	begin, size := beginningOf(c, cellShown)
	out := cell{Kind: "text", Text: output.Name(strings.ToValidUTF8(string(begin), "")), Size: size, Cut: size > int64(len(begin))}
	if kind == database.Decimal || kind == database.Int {
		out.Kind = "number"
	}
	return out
}

// beginningOf returns the first bytes of a value, and how many it has.
func beginningOf(c database.Cell, n int) ([]byte, int64) {
	if c.Long == nil {
		return c.Bytes[:min(n, len(c.Bytes))], int64(len(c.Bytes))
	}
	begin, _ := io.ReadAll(io.LimitReader(c.Long.Reader(), int64(n))) // what cannot be read is not shown
	return begin, c.Long.Size()
}

// sameCell reports whether two values are the same.
func sameCell(a, b database.Cell) bool {
	if a.Long != nil || b.Long != nil {
		return a.Class == b.Class && sameContent(a, b)
	}
	return a.Class == b.Class && a.Int == b.Int && math.Float64bits(a.Float) == math.Float64bits(b.Float) && bytes.Equal(a.Bytes, b.Bytes)
}

// sameContent compares values of which at least one is in a file.
func sameContent(a, b database.Cell) bool {
	_, n := beginningOf(a, 0)
	if _, m := beginningOf(b, 0); n != m {
		return false
	}
	return sumOf(a) == sumOf(b)
}

func sumOf(c database.Cell) [sha256.Size]byte {
	if c.Long == nil {
		return sha256.Sum256(c.Bytes)
	}
	h := sha256.New()
	_, _ = io.Copy(h, c.Long.Reader()) // what cannot be read passes for different
	return [sha256.Size]byte(h.Sum(nil))
}
