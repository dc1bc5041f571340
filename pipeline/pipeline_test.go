package pipeline

import "testing"

func TestTotalsAreThoseOfTheLastRunUntilTheWalksKnowBetter(t *testing.T) {
	p := new(Progress)
	want := func(files, bytes uint64) {
		t.Helper()
		if got := p.Totals(); got != (Size{files, bytes}) {
			t.Errorf("got %+v, want %d files of %d bytes", got, files, bytes)
		}
	}
	find := func(bytes uint64) {
		p.FilesTotal.Add(1)
		p.BytesTotal.Add(bytes)
	}
	p.Expect(2, 20)
	p.Expect(1, 5)
	p.BeginWalk(2, 20)
	want(3, 25)
	find(10)
	want(3, 25)
	find(100)
	want(3, 110)
	p.EndWalk()
	want(3, 115)
	p.BeginWalk(1, 5)
	find(7)
	p.EndWalk()
	want(3, 117)
	if !p.WalkDone.Load() {
		t.Error("the walks have ended")
	}
	p.Restart()
	want(0, 0)
	p.Expect(0, 0)
	p.BeginWalk(0, 0)
	find(3)
	want(0, 0)
	p.EndWalk()
	want(1, 3)
}
