package plan

import (
	"context"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/source"
)

// OpenLive opens a source of a snapshot as it is now: where the settings have it, or at the paths
// that were backed up. It may have become empty.
func (p *Planner) OpenLive(ctx context.Context, s *catalog.SourceState) (source.Source, error) {
	arguments := []string{s.Name}
	if s.Name == catalog.AdHoc {
		arguments = s.Paths
	}
	live := *p
	live.live, live.Set = true, "" // names of single sources do without a set
	planned, err := live.Arguments(arguments, config.PathOptions{Exclude: s.Excludes, AllowEmpty: true}, nil)
	if err != nil {
		return nil, err
	}
	return planned.Jobs[0].Open(ctx)
}

// OpenLiveDatabase opens a database of a snapshot where the settings have it now.
func (p *Planner) OpenLiveDatabase(ctx context.Context, s *catalog.SourceState) (database.Source, error) {
	settings, err := p.Machine.Settings()
	if err != nil {
		return nil, err
	}
	_, at, err := settings.PlaceOf(s, true)
	if err != nil {
		return nil, err
	}
	login, err := p.Machine.Login(*at)
	if err != nil {
		return nil, err
	}
	return config.OpenSource(ctx, login, database.SourceOptions{Aside: p.Machine.Aside()})
}
