package archive

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// model is a set of chunks by the simplest means.
type model map[string]bool

func modelOf(s *RefSet) model {
	m := model{}
	for r := range s.All() {
		for o := range uint32(64 * len(r.Ordinals)) {
			if r.Ordinals.Has(o) {
				m[fmt.Sprintf("%s/%s %d", r.Kind, r.Name, o)] = true
			}
		}
	}
	return m
}

// randomRefs takes chunks from packs: all of some, a few of others, none of the rest.
func randomRefs(r *rand.Rand, packs []*Pack) (*RefSet, model) {
	s, m := &RefSet{}, model{}
	for _, p := range packs {
		n := uint32(1 + r.IntN(300))
		share := []int{0, 1, 3, 10}[r.IntN(4)]
		for o := range n {
			if share == 1 || share > 1 && r.IntN(share) == 0 {
				copied := *p
				s.Add(&copied, o)
				m[fmt.Sprintf("%s/%s %d", p.Kind, p.Name, o)] = true
			}
		}
	}
	return s, m
}

func randomNames(r *rand.Rand, n int) []*Pack {
	packs := make([]*Pack, n)
	for i := range packs {
		packs[i] = &Pack{Name: Name(randomID(r)), Kind: []Kind{Data, Trees}[i%2]}
	}
	return packs
}

func TestRefsComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	for n := range 30 {
		s, want := randomRefs(r, randomNames(r, n))
		change, err := ParseRefs(EncodeRefs(s))
		if err != nil {
			t.Fatalf("refs of %d packs: %v", n, err)
		}
		got := &RefSet{}
		if err := got.Apply(change); err != nil || !got.Equal(s) || !maps.Equal(modelOf(got), want) {
			t.Errorf("refs of %d packs: %d of %d chunks come back, %v", n, got.Chunks(), len(want), err)
		}
	}
}

func TestRefsDeltaLeadsFromParentToNow(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 5))
	packs := randomNames(r, 40)
	for range 30 {
		parent, before := randomRefs(r, packs[:r.IntN(40)])
		now, want := randomRefs(r, packs[r.IntN(20):])
		delta := EncodeRefsDelta(parent, now)
		if !maps.Equal(modelOf(parent), before) || !maps.Equal(modelOf(now), want) {
			t.Fatal("encoding a delta changes the sets")
		}
		change, err := ParseRefs(delta)
		if err != nil {
			t.Fatal(err)
		}
		if err := parent.Apply(change); err != nil || !maps.Equal(modelOf(parent), want) {
			t.Errorf("delta leads to %d chunks, want %d: %v", parent.Chunks(), len(want), err)
		}
	}
}

func TestRefsDeltaIsRefusedByAnotherParent(t *testing.T) {
	p := &Pack{Name: Name{1}, Kind: Data}
	one, two, none := &RefSet{}, &RefSet{}, &RefSet{}
	one.Add(p, 1)
	two.Add(p, 1)
	two.Add(p, 2)
	for name, c := range map[string]struct{ parent, now, to *RefSet }{
		"added twice":         {one, two, two},
		"removed but missing": {two, one, none},
	} {
		change, err := ParseRefs(EncodeRefsDelta(c.parent, c.now))
		if err != nil {
			t.Fatal(err)
		}
		before := modelOf(c.to)
		if err := c.to.Apply(change); !errors.Is(err, ErrDamaged) || !maps.Equal(before, modelOf(c.to)) {
			t.Errorf("%s: got %v, want ErrDamaged and no change", name, err)
		}
	}
}

func TestUnionHoldsWhatEitherHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	packs := randomNames(r, 40)
	for range 30 {
		a, want := randomRefs(r, packs[:r.IntN(40)])
		b, other := randomRefs(r, packs[r.IntN(40):])
		meets := false
		for x := range a.All() {
			meets = meets || b.Ordinals(x.Kind, x.Name) != nil
		}
		if a.Intersects(b) != meets || b.Intersects(a) != meets {
			t.Errorf("intersects: got %v, want %v", a.Intersects(b), meets)
		}
		a.Union(b)
		maps.Copy(want, other)
		if !maps.Equal(modelOf(a), want) {
			t.Errorf("union has %d chunks, want %d", a.Chunks(), len(want))
		}
		for x := range a.All() {
			for i := range x.Ordinals {
				x.Ordinals[i] = 0
			}
		}
		if !maps.Equal(modelOf(b), other) {
			t.Fatal("a union shares memory with what it was made from")
		}
	}
}

func TestBitmapTakesTheShortForm(t *testing.T) {
	for _, c := range []struct {
		ordinals []uint32
		want     []byte
	}{
		{[]uint32{0}, []byte{2}},
		{[]uint32{0, 1, 2}, []byte{6}},
		{[]uint32{1}, []byte{3, 2}},
		{[]uint32{9, 0}, []byte{5, 1, 2}},
		{[]uint32{64}, []byte{19, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
	} {
		var b Bitmap
		for _, o := range c.ordinals {
			b = b.with(o)
		}
		if got := b.append(nil); !slices.Equal(got, c.want) {
			t.Errorf("bitmap of %v: got %v, want %v", c.ordinals, got, c.want)
		}
	}
}

func BenchmarkRefsUnion(b *testing.B) {
	// 1 TB in packs of 32 MiB, and snapshots that each lack a little and add a little.
	r := rand.New(rand.NewPCG(4, 5))
	packs := randomNames(r, 30_000)
	sets := make([]*RefSet, 10)
	for i := range sets {
		sets[i] = &RefSet{}
		for _, p := range packs[100*i : len(packs)-1000+100*i] {
			for o := range uint32(128) {
				sets[i].Add(p, o)
			}
		}
		sets[i].Settle()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		all := &RefSet{}
		for _, s := range sets {
			all.Union(s)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N)/float64(len(sets)), "ms/set")
}

func TestASetOfTheSamePackByManyPointersStaysSmall(t *testing.T) {
	const pages, last = 5000, MaxChunks - 1
	s := &RefSet{}
	for i := range uint32(pages) {
		s.Add(&Pack{Kind: Data, Name: Name{1}}, last-i)
		if s.words > mostFresh {
			t.Fatalf("after %d pages %d words were added and not sorted in, more than %d", i+1, s.words, mostFresh)
		}
	}
	if got := s.Ordinals(Data, Name{1}); got.Count() != pages || !got.Has(last) || !got.Has(last-pages+1) {
		t.Errorf("%d ordinals, want the last %d", got.Count(), pages)
	}
}
