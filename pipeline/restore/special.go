package restore

import (
	"slices"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
)

const (
	setIDs     = 0o6000
	capability = "security.capability"
)

// Lends says what lends rights to whoever runs or opens an entry: "a device", "setuid or setgid",
// "capabilities"; empty if nothing does. The setgid bit of a directory lends none.
func Lends(e *entry.Entry) string {
	switch {
	case isDevice(e):
		return "a device"
	case e.Type != entry.Directory && e.Mode&setIDs != 0:
		return "setuid or setgid"
	case slices.ContainsFunc(e.Xattrs, isCapability):
		return "capabilities"
	}
	return ""
}

func isDevice(e *entry.Entry) bool { return e.Type == entry.CharDevice || e.Type == entry.BlockDevice }

func isCapability(x entry.Attribute) bool { return x.Name == capability }

// plain is a node without what lends rights. A device stays one: it is left out.
func (r *restore) plain(n *tree.Node) *tree.Node {
	if !r.o.NoSpecial || isDevice(&n.Entry) || n.Mode&setIDs == 0 && Lends(&n.Entry) == "" {
		return n
	}
	plain := *n
	plain.Mode &^= setIDs
	plain.Xattrs = slices.DeleteFunc(slices.Clone(n.Xattrs), isCapability)
	r.lend(&n.Entry)
	return &plain
}

// lend tells of what lends rights.
func (r *restore) lend(e *entry.Entry) {
	if r.o.Lends == nil {
		return
	}
	if what := Lends(e); what != "" {
		r.o.Lends(e.Path, what)
	}
}
