package main

import (
	"context"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/pipeline/browse"
)

// browser looks into snapshots, for the verbs that only read.
type browser struct {
	*view.View
	*browse.Browser
	app *app
}

// browse opens the repository to look into its snapshots.
func (a *app) browse(ctx context.Context) (*browser, error) {
	v, err := a.openToLook(ctx)
	if err != nil {
		return nil, err
	}
	return &browser{v, browse.New(v.Repo, a.fetchOptions()), a}, nil
}

// find finds the snapshot and sources that text names.
func (b *browser) find(text string) (catalog.Spot, error) {
	p := catalog.ParsePlace(text)
	s, err := b.Pick(p.Snapshot, b.app.filterFor(p))
	if err != nil {
		return catalog.Spot{}, err
	}
	return p.In(s)
}
