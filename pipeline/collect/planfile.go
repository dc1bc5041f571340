package collect

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
)

// planSchema is the version of the form of a plan that is written down.
const planSchema = "packstone.v1"

// planFile is a plan that is written down.
type planFile struct {
	Schema     string     `json:"schema"`
	Repository string     `json:"repository"`
	Time       time.Time  `json:"time"`
	Grace      string     `json:"grace"`
	Bytes      int64      `json:"bytes"`
	Packs      []planPack `json:"packs"`
}

type planPack struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	Bytes int64  `json:"bytes"`
	Why   string `json:"why"`
}

// ErrNoPlan: a text is no plan.
var ErrNoPlan = errors.New("it is not a plan of packstone prune")

// Encode writes a plan for a repository and a term down, as JSON that a person can read.
func (p *Plan) Encode(repository string, t catalog.Term) ([]byte, error) {
	f := planFile{Schema: planSchema, Repository: repository, Time: t.Now.UTC(), Grace: t.Grace.String(), Bytes: p.Bytes, Packs: []planPack{}}
	for _, pack := range p.Packs {
		f.Packs = append(f.Packs, planPack{pack.Name.String(), string(pack.Kind), pack.Size, pack.Why})
	}
	text, err := json.MarshalIndent(f, "", "  ")
	return append(text, '\n'), err
}

// DecodePlan reads which packs a plan deletes that was written down. It fails with ErrNoPlan if the
// text is none, and with catalog.ErrRefused if it is for another repository.
func DecodePlan(text []byte, repository string) (catalog.PackSet, error) {
	var f planFile
	if err := json.Unmarshal(text, &f); err != nil || f.Schema != planSchema {
		return nil, ErrNoPlan
	}
	if f.Repository != repository {
		return nil, catalog.Refuse("the plan is for repository %s, and this is %s", entry.Printable(f.Repository), repository)
	}
	packs := catalog.PackSet{}
	for _, p := range f.Packs {
		pack, err := archive.ParseName(p.Name)
		if err != nil {
			return nil, err
		}
		packs[pack] = true
	}
	return packs, nil
}
