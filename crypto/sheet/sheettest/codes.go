// Package sheettest reads the QR codes of a sheet as a phone does.
package sheettest

import (
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// pixels is how large a module is drawn.
const pixels = 4

// quiet is how many modules around a code stay white.
const quiet = 4

// Codes returns what the QR codes of an SVG sheet say, in their order. It draws each path, looks
// for a code in the picture, and reads it.
func Codes(svg []byte) (codes []string, err error) {
	in := xml.NewDecoder(strings.NewReader(string(svg)))
	for {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			return codes, nil
		}
		if err != nil {
			return nil, err
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "path" {
			continue
		}
		for _, a := range start.Attr {
			if a.Name.Local != "d" {
				continue
			}
			text, err := read(a.Value)
			if err != nil {
				return nil, err
			}
			codes = append(codes, text)
		}
	}
}

// run is a row of dark modules.
var run = regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`)

// read draws a path and reads the code in it.
func read(path string) (string, error) {
	runs := run.FindAllStringSubmatch(path, -1)
	var size int
	for _, r := range runs {
		size = max(size, number(r[1])+number(r[3]), number(r[2])+1)
	}
	side := (size + 2*quiet) * pixels
	picture := image.NewGray(image.Rect(0, 0, side, side))
	draw.Draw(picture, picture.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	for _, r := range runs {
		x, y := (number(r[1])+quiet)*pixels, (number(r[2])+quiet)*pixels
		draw.Draw(picture, image.Rect(x, y, x+number(r[3])*pixels, y+pixels), image.NewUniform(color.Black), image.Point{}, draw.Src)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		return "", err
	}
	// A phone has many pictures, of which one may mislead it. Here is one, so a second way must do.
	var result *gozxing.Result
	for _, hint := range []gozxing.DecodeHintType{gozxing.DecodeHintType_TRY_HARDER, gozxing.DecodeHintType_PURE_BARCODE} {
		if result, err = qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{hint: true}); err == nil {
			return result.GetText(), nil
		}
	}
	return "", fmt.Errorf("read a QR code of %d modules: %w", size, err)
}

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}
