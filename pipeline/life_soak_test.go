//go:build soak

package pipeline_test

import "testing"

// TestSoakTwoYearsOfBackupsCostAtTheirEndWhatTheyDidAtTheBeginning lives for two years. Retention has
// as many snapshots as it keeps after one, and what the last of that year have left behind goes with
// the second roll-up after it.
func TestSoakTwoYearsOfBackupsCostAtTheirEndWhatTheyDidAtTheBeginning(t *testing.T) {
	inBubble(t, 1, func(t *testing.T) {
		l := newLife(t)
		defer l.platform.close()
		l.live(730)
		first, last := l.month("1", 30), l.month("24", 730)
		t.Log(table(first, l.month("6", 182), l.month("12", 365), l.month("18", 547), last))
		l.wantsNoGrowth(first, last, steady...)
		l.wantsNoGrowth(l.month("18", 547), last, bounded()...)
		l.wantsLittleDead()
		l.wantsLittleHistory()
		l.allComeBack()
		l.world.check()
	})
}

// bounded are the measures that do not grow any more when retention has all that it keeps.
func bounded() (names []string) {
	for _, row := range measures() {
		if !row.free {
			names = append(names, row.name)
		}
	}
	return names
}
