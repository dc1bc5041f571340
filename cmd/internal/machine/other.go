package machine

import (
	"maps"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
)

// From is a repository that is read while another one is written.
type From struct {
	Repository  string // its address, or its name in the settings; "": PACKSTONE_FROM_REPOSITORY says
	Identities  []string
	AcceptOwner []crypto.Fingerprint
}

// Other returns this machine with another repository as the main one. For it, PACKSTONE_FROM_…
// replaces PACKSTONE_…; the other flags on the command line apply to both.
func (m *Machine) Other(from From) *Machine {
	other := New(m.Env.other())
	other.Done, other.Stdin, other.Stderr, other.Warn, other.Note, other.Reach, other.Software = m.Done, m.Stdin, m.Stderr, m.Warn, m.Note, m.Reach, m.Software
	other.settings, other.Set, other.readable = m.settings, m.Set, m.readable
	flags := *m.Flags
	flags.Repository, flags.AcceptOwner = from.Repository, from.AcceptOwner
	switch {
	case len(from.Identities) > 0:
		flags.Identities = from.Identities
	case m.Env.tells(otherPrefix + "IDENTITY"):
		flags.Identities = nil
	}
	other.Flags, other.isOther = &flags, true
	other.ownBucketKeys = m.Env.tells(otherPrefix + "S3_ACCESS_KEY")
	return other
}

// prefix begins the names of our variables, and otherPrefix those about the repository that is
// read.
const (
	prefix      = "PACKSTONE_"
	otherPrefix = prefix + "FROM_"
)

// twins are the suffixes of variables with the same meaning.
var twins = []string{"", "_FILE", "_COMMAND"}

// tells reports whether a variable, or one with a suffix of twins, is set.
func (env Env) tells(name string) bool {
	for _, end := range twins {
		if env[name+end] != "" {
			return true
		}
	}
	return false
}

// other returns the environment for another repository.
func (env Env) other() Env {
	other := maps.Clone(env)
	for _, end := range twins {
		delete(other, "PACKSTONE_REPOSITORY"+end)
	}
	for name := range env {
		what, ok := strings.CutPrefix(name, otherPrefix)
		if !ok {
			continue
		}
		for _, end := range twins[1:] {
			what = strings.TrimSuffix(what, end)
		}
		for _, end := range twins {
			delete(other, prefix+what+end)
		}
	}
	for name, value := range env {
		if what, ok := strings.CutPrefix(name, otherPrefix); ok {
			other[prefix+what] = value
		}
	}
	return other
}

// RefuseSame refuses to copy from the repository of another Machine to that of this one if both have
// the same address.
func (m *Machine) RefuseSame(other *Machine) error {
	from, err := other.Repository()
	if err != nil {
		return err
	}
	to, err := m.Repository()
	if err == nil && from.String() == to.String() {
		err = catalog.Misuse("%s would be copied to itself: name another repository with -r or --from", to)
	}
	return err
}
