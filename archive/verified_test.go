package archive

import (
	"errors"
	"slices"
	"testing"
)

func TestVerifiedPacksComeBack(t *testing.T) {
	packs := []VerifiedPack{{Sum: PackSum{1}, At: 7}, {Sum: PackSum{1, 2}, At: 1 << 31}, {Sum: PackSum{9}}}
	for n := range len(packs) + 1 {
		got, err := ParseVerified(EncodeVerified(packs[:n]))
		if err != nil || !slices.Equal(got, packs[:n]) {
			t.Errorf("%d packs come back as %v, %v", n, got, err)
		}
	}
}

func TestDamagedVerifiedPacksAreRefused(t *testing.T) {
	packs := []VerifiedPack{{Sum: PackSum{1}}, {Sum: PackSum{2}}}
	content := EncodeVerified(packs)
	for what, bad := range map[string][]byte{
		"nothing": nil, "another kind": EncodeMoves(nil), "cut short": content[:len(content)-1], "too long": append(slices.Clone(content), 0),
		"out of order": EncodeVerified([]VerifiedPack{packs[1], packs[0]}), "twice": EncodeVerified([]VerifiedPack{packs[0], packs[0]}),
	} {
		if _, err := ParseVerified(bad); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, want ErrDamaged", what, err)
		}
	}
}

func TestASumTellsEverythingThatARunSays(t *testing.T) {
	is := func() RunPack {
		return RunPack{&Pack{Kind: Data, Name: Name{1}, Size: 5, Header: 3}, &Directory{
			Frames: []Frame{{Stored: 4, Chunks: 1}, {Stored: 6, Chunks: 1}}, Lengths: []uint32{7, 8}, IDs: []ID{{1}, {2}},
		}}
	}
	for what, lie := range map[string]func(p *RunPack){
		"name": func(p *RunPack) { p.Pack.Name[1] = 1 }, "kind": func(p *RunPack) { p.Pack.Kind = Trees },
		"size": func(p *RunPack) { p.Pack.Size++ }, "header": func(p *RunPack) { p.Pack.Header++ },
		"id": func(p *RunPack) { p.Directory.IDs[1][5]++ }, "length": func(p *RunPack) { p.Directory.Lengths[0]++ },
		"frame":  func(p *RunPack) { p.Directory.Frames[0].Stored++ },
		"order":  func(p *RunPack) { slices.Reverse(p.Directory.IDs) },
		"frames": func(p *RunPack) { p.Directory.Frames = []Frame{{Stored: 10, Chunks: 2}} },
	} {
		said := is()
		lie(&said)
		if said.Sum() == is().Sum() {
			t.Errorf("the sum does not tell a lie about: %s", what)
		}
	}
	if a, b := is(), is(); a.Sum() != b.Sum() {
		t.Error("the sum is another one each time")
	}
}
