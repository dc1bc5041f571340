package main

import (
	"context"
	"errors"
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

// largestPlan bounds the size of a plan's file, in bytes.
const largestPlan = 1 << 30

// planPrune says what prune would delete, and writes it down if it was asked to.
func (a *app) planPrune(ctx context.Context, repo *catalog.Repository, o pruneOptions) error {
	o.yes = true // a plan deletes nothing, so that nobody is asked
	grace, err := a.grace(repo, o.graceFlags)
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
	text, err := plan.Encode(repo.Format.Repository, t)
	if err == nil {
		err = os.WriteFile(name, text, 0o666)
	}
	if err != nil {
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
	packs, err := collect.DecodePlan(text, repository)
	switch {
	case errors.Is(err, collect.ErrNoPlan):
		return nil, usage("%s is not a plan of packstone prune", output.Name(name))
	case err != nil && !errors.Is(err, catalog.ErrRefused):
		return nil, usage("the plan %s: %w", output.Name(name), err)
	}
	return packs, err
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
	grace, err := repo.Config.GracePeriod()
	if err != nil {
		return err
	}
	reasons, err := collect.Explain(ctx, repo, v.Log, pack.Name, catalog.Term{Now: time.Now(), Grace: grace})
	if err != nil {
		return err
	}
	m := message.ExplainOf(pack, reasons)
	a.out.Message("explain", m, m.Text(grace))
	return a.out.Err()
}

// packNamed finds a pack by its name, or the beginning of it.
func packNamed(ctx context.Context, repo *catalog.Repository, prefix string) (*archive.Pack, error) {
	var found []*archive.Pack
	if len(prefix) >= 4 && strings.Trim(prefix, "0123456789abcdef") == "" {
		var err error
		if found, err = archive.FindPacks(ctx, repo.Store, prefix); err != nil {
			return nil, fmt.Errorf("list packs: %w", err)
		}
	}
	if len(found) != 1 {
		return nil, usage("--explain %s: %s match; want at least 4 digits of the name of one", output.Name(prefix), output.Plural(len(found), "pack"))
	}
	return found[0], nil
}
