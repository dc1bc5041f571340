package archive

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"testing"
)

// lies are lengths that no content has, as decoders may meet them.
var lies = [][]byte{
	{0xff, 0xff, 0xff, 0xff}, {0xff, 0xff, 0xff, 0x7f}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, binary.LittleEndian.AppendUint64(nil, 1<<40),
	binary.BigEndian.AppendUint64(nil, 1<<40), binary.AppendUvarint(nil, 1<<31), binary.AppendUvarint(nil, 1<<40), binary.AppendUvarint(nil, 1<<63),
}

// TestALengthThatIsALieTakesNoMemory puts a lie at every place of each content.
func TestALengthThatIsALieTakesNoMemory(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 6))
	a, _ := randomRefs(r, randomNames(r, 3))
	p := &openPack{buffer: make([]byte, bufferSize(1<<20)), limit: 1 << 20}
	p.addFrame([]byte("a frame"), []*Slot{NewSlot(ID{1}, 5), NewSlot(ID{2}, 6)})
	end := p.Directory.Append(nil)
	end = append(append(end, byte(len(end)), 0, 0, 0, 1, 1, 0, 0), trailerMagic...)
	for name, c := range map[string]struct {
		content []byte
		read    func([]byte)
	}{
		"directory": {end, func(b []byte) { _, _ = ParseDirectory(b, Data) }},
		"run":       {EncodeRun(randomPacks(r, 2, 7)), func(b []byte) { _, _ = ParseRun(b) }},
		"refs":      {EncodeRefs(a), func(b []byte) { _, _ = ParseRefs(b) }},
		"delta":     {EncodeRefsDelta(&RefSet{}, a), func(b []byte) { _, _ = ParseRefs(b) }},
		"moves":     {EncodeMoves(someMoves()), func(b []byte) { _, _ = ParseMoves(b) }},
		"verified":  {EncodeVerified([]VerifiedPack{{Sum: PackSum{1}}, {Sum: PackSum{2}}}), func(b []byte) { _, _ = ParseVerified(b) }},
		"compact":   {Compact([]byte("content")), func(b []byte) { _, _ = Expand(b, 1<<20) }},
	} {
		c.read(c.content)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		tries := uint64(0)
		for at := range c.content {
			for _, lie := range lies {
				tries++
				told := append(append([]byte(nil), c.content[:at]...), lie...)
				c.read(append(told, c.content[min(at+len(lie), len(c.content)):]...))
			}
		}
		runtime.ReadMemStats(&after)
		if took := (after.TotalAlloc - before.TotalAlloc) / tries; took > 2<<20 {
			t.Errorf("%s: a lie takes %d KiB", name, took>>10)
		}
	}
}
