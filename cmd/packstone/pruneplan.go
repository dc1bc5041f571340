package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/input"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/collect"
)

// planFile is what prune --plan writes.
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

// largestPlan bounds the size of a plan's file, in bytes.
const largestPlan = 1 << 30

// planPrune says what prune would delete, and writes it down if it was asked to.
func (a *app) planPrune(ctx context.Context, repo *catalog.Repository, o pruneOptions) error {
	dry := *a
	dry.flags.dryRun = true // a plan deletes nothing, so that nobody is asked
	grace, err := dry.grace(repo, o.graceFlags)
	if err != nil {
		return err
	}
	term := catalog.Term{Now: time.Now(), Grace: grace}
	plan, err := collect.MakePlan(ctx, repo, term)
	if err != nil {
		return err
	}
	repack, err := a.planRepack(ctx, repo, term, o)
	if err != nil {
		return err
	}
	m := message.PrunePlanOf(plan, repack, o.plan)
	for _, p := range plan.Packs {
		a.out.Detail(output.VerboseStatus{Action: "delete", Item: output.Name(p.Kind.Object(p.Name)), DataSize: p.Size})
	}
	if o.plan != "" {
		if err := writePlan(o.plan, repo, term, plan); err != nil {
			return err
		}
	}
	a.out.Summary(m, m.Text())
	return a.out.Err()
}

func writePlan(name string, repo *catalog.Repository, t catalog.Term, plan *collect.Plan) error {
	f := planFile{
		Schema: output.Schema, Repository: repo.Format.Repository, Time: t.Now.UTC(), Grace: t.Grace.String(), Bytes: plan.Bytes, Packs: []planPack{},
	}
	for _, p := range plan.Packs {
		f.Packs = append(f.Packs, planPack{p.Name.String(), string(p.Kind), p.Size, p.Why})
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	if err := os.WriteFile(name, append(text, '\n'), 0o666); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

// readPlan reads which packs a plan deletes.
func readPlan(done <-chan struct{}, name, repository string) (catalog.PackSet, error) {
	info, err := os.Stat(name)
	if err == nil && info.Size() > largestPlan {
		return nil, usage("%s is not a plan of packstone prune", output.Name(name))
	}
	text, err := input.ReadFile(done, name, largestPlan)
	if err != nil {
		return nil, usage("read the plan: %w", err)
	}
	var f planFile
	if err := json.Unmarshal(text, &f); err != nil || f.Schema != output.Schema {
		return nil, usage("%s is not a plan of packstone prune", output.Name(name))
	}
	if f.Repository != repository {
		return nil, exitWith(exitRefused, "the plan is for repository %s, and this is %s", output.Name(f.Repository), repository)
	}
	packs := catalog.PackSet{}
	for _, p := range f.Packs {
		pack, err := archive.ParseName(p.Name)
		if err != nil {
			return nil, usage("the plan %s: %w", output.Name(name), err)
		}
		packs[pack] = true
	}
	return packs, nil
}

// explainPack says what keeps a pack.
func (a *app) explainPack(ctx context.Context, repo *catalog.Repository, o pruneOptions) error {
	pack, err := packNamed(ctx, repo, o.explain)
	if err != nil {
		return err
	}
	v, err := a.readLog(ctx, repo)
	if err != nil {
		return err
	}
	log := v.Log
	grace, err := repo.Config.GracePeriod()
	if err != nil {
		return err
	}
	now := time.Now()
	records, err := collect.Needs(ctx, repo, log, pack.Name, catalog.Term{Now: now, Grace: grace})
	if err != nil {
		return err
	}
	snapshots := map[archive.Name]*catalog.Snapshot{}
	if repo.CanRead() {
		for _, read := range []func(context.Context, *catalog.Log) ([]*catalog.Snapshot, []error, error){repo.ReadSnapshots, repo.ReadForgotten} {
			all, _, err := read(ctx, log)
			if err != nil {
				return err
			}
			for _, s := range all {
				snapshots[s.ID] = s
			}
		}
	}
	m := message.Explain{Pack: pack.Name.String(), Object: pack.Kind.Object(pack.Name), Bytes: int64(pack.Size), Keep: []message.ExplainRow{}}
	for _, rec := range records {
		row := message.ExplainRow{Record: rec.Name(), Kind: string(rec.Kind), Time: rec.Date, Forgotten: log.Fate(rec.Hash).Gone(now)}
		if rec.Kind == catalog.Commit {
			row.Snapshot = rec.Hash.String()
		}
		if s := snapshots[rec.Hash]; s != nil {
			row.Set, row.Hostname = output.Name(s.Set), output.Name(s.Host)
		}
		m.Keep = append(m.Keep, row)
	}
	a.out.Message("explain", m, m.Text(grace))
	return a.out.Err()
}

// packNamed finds a pack by its name, or the beginning of it.
func packNamed(ctx context.Context, repo *catalog.Repository, prefix string) (*archive.Pack, error) {
	var found []*archive.Pack
	for pack, err := range archive.ListPacks(ctx, repo.Store) {
		if err != nil {
			return nil, err
		}
		if len(prefix) >= 4 && strings.HasPrefix(pack.Name.String(), prefix) {
			found = append(found, pack)
		}
	}
	if len(found) != 1 {
		return nil, usage("--explain %s: %s match; want at least 4 digits of the name of one", output.Name(prefix), output.Plural(len(found), "pack"))
	}
	return found[0], nil
}
