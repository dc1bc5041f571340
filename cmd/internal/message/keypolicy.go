package message

import (
	"fmt"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/retention"
)

// KeyPolicy is what key policy prints as JSON.
type KeyPolicy struct {
	Horizon string `json:"horizon" doc:"How far ahead of now packstone keep extends locks."`
	Floor   string `json:"retention_floor" doc:"How long every snapshot is kept at least: nothing but the owner's key forgets a younger one."`
	Grace   string `json:"grace" doc:"How long what was forgotten can be brought back."`
	Config  uint64 `json:"config" doc:"The number of the configuration that is in force now."`
	DryRun  bool   `json:"dry_run,omitempty" doc:"Whether nothing was changed."`

	floor, grace, horizon time.Duration
}

// KeyPolicyOf is the policy of a configuration; in force is the one with this number.
func KeyPolicyOf(c *catalog.Config, number uint64, dryRun bool) (m KeyPolicy, err error) {
	m = KeyPolicy{Config: number, DryRun: dryRun}
	if m.floor, err = c.RetentionFloor(); err != nil {
		return m, err
	}
	if m.grace, err = c.GracePeriod(); err != nil {
		return m, err
	}
	if m.horizon, err = c.LockHorizon(); err != nil {
		return m, err
	}
	m.Floor, m.Grace, m.Horizon = m.floor.String(), m.grace.String(), m.horizon.String()
	return m, nil
}

// Text is the policy for a person.
func (m KeyPolicy) Text() string {
	text := fmt.Sprintf("every snapshot is kept for %s at least; what was forgotten can be brought back for %s; locks reach %s ahead where packstone keep runs (configuration %d)",
		retention.Period(m.floor), retention.Period(m.grace), retention.Period(m.horizon), m.Config)
	if m.DryRun {
		text = "dry run: " + text
	}
	return text
}
