//go:build !(linux && (amd64 || arm64))

package local

// StatListed examines the name at i of a listing of d; a symbolic link itself.
func (d *Dir) StatListed(l *Listing, i int, st *Stat) error {
	return d.Stat(string(l.Name(i)), false, st)
}
