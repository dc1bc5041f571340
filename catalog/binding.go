package catalog

import (
	"fmt"
	"path"
	"slices"

	"github.com/packstone/packstone/crypto"
)

// Standing says whether the owner lets the writer of a snapshot speak for the host that the snapshot names.
type Standing uint8

// The standings.
const (
	Bound   Standing = iota // the owner has admitted the writer for this host
	Unbound                 // the owner has admitted the writer without saying for which hosts
	Outside                 // the owner has admitted the writer for other hosts only
)

// Roles that the owner gives to writers.
const (
	RoleVerifier = "verifier" // its verified records count for the writers of its group
	RoleBackdate = "backdate" // its records may be of an earlier time than the store's date
)

// Binding is what hosts a writer could speak for until the owner changed that.
type Binding struct {
	Hosts     []string          `json:"hosts,omitempty"` // patterns; absent: any host
	LastValid map[string]uint64 `json:"last_valid"`      // lane → the last record that this binding holds for
}

// anyHost is the pattern of every host.
var anyHost = []string{"*"}

// CheckHosts tells what is wrong with patterns of hosts: those of path.Match, such as web-*.
func CheckHosts(patterns []string) error {
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			return fmt.Errorf("host pattern %q: want a name, or a pattern such as web-*: %w", pattern, ErrBadName)
		}
	}
	return nil
}

// name is what the member signs with; empty if its key cannot be read.
func (m *Member) name() string {
	v, err := crypto.ParseVerifier(m.Key)
	if err != nil {
		return ""
	}
	return v.Name()
}

// hostsAt are the patterns that bound a member when it signed a record; nil for any host.
func (m *Member) hostsAt(lane string, sequence uint64) []string {
	for _, b := range m.Earlier {
		if sequence <= b.LastValid[lane] {
			return b.Hosts
		}
	}
	return m.Hosts
}

// Rebind changes the hosts that a member may speak for. Its records up to log keep the standing that they have.
func (m *Member) Rebind(hosts []string, log *Log) {
	before := Binding{Hosts: m.Hosts, LastValid: log.lastOf(m.name())}
	m.Earlier = append(slices.Clone(m.Earlier), before)
	m.Hosts = hosts
}

func standing(hosts []string, host string) Standing {
	if hosts == nil {
		return Unbound
	}
	for _, pattern := range hosts {
		if ok, _ := path.Match(pattern, host); ok {
			return Bound
		}
	}
	return Outside
}

// standing tells whether a writer may speak for the host of a snapshot that it has committed with rec.
func (r *Repository) standing(rec *Record, host string) Standing {
	m, _, _ := member(r.Config.Writers, rec.Lane.Writer)
	return standing(m.hostsAt(rec.Lane.String(), rec.Sequence), host)
}

// MaySpeakFor fails with ErrOutside if the owner has not admitted the writer whose key is at hand for this host.
func (r *Repository) MaySpeakFor(host string) error {
	w, err := r.Writer()
	if err != nil {
		return err
	}
	m, _, _ := member(r.Config.Writers, w.Signer.Name())
	if standing(m.Hosts, host) != Outside {
		return nil
	}
	return fmt.Errorf("the key of writer %s is for the hosts %q, not for %q: %w", w.Signer.Name(), m.Hosts, host, ErrOutside)
}
