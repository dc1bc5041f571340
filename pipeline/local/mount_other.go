//go:build !(linux && (amd64 || arm64))

package local

// Examine is StatListed, and tells whether something is mounted there.
func (d *Dir) Examine(l *Listing, i int, st *Stat) (mounted bool, err error) {
	return d.examineByDevice(l, i, st)
}
