package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
)

// keyPolicyMessage is what key policy prints as JSON.
type keyPolicyMessage struct {
	Horizon string `json:"horizon" doc:"How far ahead of now packstone keep extends locks."`
	Floor   string `json:"retention_floor" doc:"How long every snapshot is kept at least: nothing but the owner's key forgets a younger one."`
	Grace   string `json:"grace" doc:"How long what was forgotten can be brought back."`
	Config  uint64 `json:"config" doc:"The number of the configuration that is in force now."`
	DryRun  bool   `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

func newKeyPolicy(a *app) *cobra.Command {
	var floor, grace, horizon flagvalue.Period
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Set the retention floor, the grace period and the horizon of locks.",
		Long: `The floor and the grace period bind collectors and jobs. With the owner's key one may go below
them, and is told so. The horizon is how far ahead of now packstone keep extends locks. Without
flags it shows the current policy. Changes need the owner's key.`,
		Example: `  packstone key policy
  packstone key policy --retention-floor 30d --grace 14d --horizon 45d`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().Var(&floor, "retention-floor", "keep every snapshot at least this `time`, such as 14d or 36h")
	cmd.Flags().Var(&grace, "grace", "delete forgotten snapshots after this `time`, such as 7d")
	cmd.Flags().Var(&horizon, "horizon", "let packstone keep extend locks to this `time` from now, such as 30d")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesDryRun, func(ctx context.Context, _ []string) error {
		return a.keyPolicy(ctx, floor, grace, horizon)
	})
}

func (a *app) keyPolicy(ctx context.Context, floor, grace, horizon flagvalue.Period) error {
	repo, err := a.openWithAnyKeys(ctx)
	if err != nil {
		return err
	}
	edit := policyEdit(floor, grace, horizon)
	if !a.flags.dryRun && (floor.Given || grace.Given || horizon.Given) {
		owner, err := a.Owner(repo)
		if err != nil {
			return err
		}
		if err := repo.Change(ctx, owner, edit); err != nil {
			return err
		}
	}
	next := *repo.Config
	if err := edit(&next); err != nil {
		return err
	}
	m := keyPolicyMessage{Config: repo.Config.Number, DryRun: a.flags.dryRun}
	text, err := m.fill(&next)
	if err != nil {
		return err
	}
	a.out.Message("key_policy", m, text)
	return a.out.Err()
}

// shortestHorizon is how far ahead locks must reach: a keeper runs once a day.
const shortestHorizon = 24 * time.Hour

// policyEdit changes a config to what the flags say.
func policyEdit(floor, grace, horizon flagvalue.Period) func(c *catalog.Config) error {
	return func(c *catalog.Config) error {
		for _, one := range []struct {
			flag flagvalue.Period
			of   *string
		}{{floor, &c.Floor}, {grace, &c.Grace}, {horizon, &c.Horizon}} {
			if one.of == &c.Horizon && one.flag.Given && one.flag.Length < shortestHorizon {
				return usage("--horizon: locks of less than a day end before the next run of packstone keep: want 1d at least, such as 30d")
			}
			if one.flag.Given {
				*one.of = one.flag.Length.String()
			}
		}
		return nil
	}
}

func (m *keyPolicyMessage) fill(c *catalog.Config) (text string, err error) {
	floor, err := c.RetentionFloor()
	if err != nil {
		return "", err
	}
	grace, err := c.GracePeriod()
	if err != nil {
		return "", err
	}
	horizon, err := c.LockHorizon()
	if err != nil {
		return "", err
	}
	m.Floor, m.Grace, m.Horizon = floor.String(), grace.String(), horizon.String()
	text = fmt.Sprintf("every snapshot is kept for %s at least; what was forgotten can be brought back for %s; locks reach %s ahead where packstone keep runs (configuration %d)",
		retention.Period(floor), retention.Period(grace), retention.Period(horizon), m.Config)
	if m.DryRun {
		text = "dry run: " + text
	}
	return text, nil
}
