package local

import "golang.org/x/sys/unix"

// examineByDevice is Examine where the system does not tell of mount points: what is on another
// device than the directory it lies in is one.
func (d *Dir) examineByDevice(l *Listing, i int, st *Stat) (mounted bool, err error) {
	if err := d.StatListed(l, i, st); err != nil {
		return false, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return false, nil
	}
	var above Stat
	return Fstat(d.FD, &above) == nil && above.Dev != st.Dev, nil
}
