package config

import "github.com/packstone/packstone/catalog/retention"

// Retention determines which snapshots of a set are kept.
type Retention struct {
	KeepLast            int      `yaml:"keep_last,omitempty" doc:"So many of the newest snapshots are kept."`
	KeepHourly          int      `yaml:"keep_hourly,omitempty" doc:"The newest snapshot of each of so many hours is kept."`
	KeepDaily           int      `yaml:"keep_daily,omitempty" doc:"The newest snapshot of each of so many days is kept."`
	KeepWeekly          int      `yaml:"keep_weekly,omitempty" doc:"The newest snapshot of each of so many weeks is kept."`
	KeepMonthly         int      `yaml:"keep_monthly,omitempty" doc:"The newest snapshot of each of so many months is kept."`
	KeepQuarterly       int      `yaml:"keep_quarterly,omitempty" doc:"The newest snapshot of each of so many quarters is kept."`
	KeepYearly          int      `yaml:"keep_yearly,omitempty" doc:"The newest snapshot of each of so many years is kept."`
	KeepWithin          string   `yaml:"keep_within,omitempty" doc:"All snapshots are kept that are not older than the newest one by more than this, such as 14d or 1y6m."`
	KeepWithinHourly    string   `yaml:"keep_within_hourly,omitempty" doc:"The same for the newest snapshot of each of the hours."`
	KeepWithinDaily     string   `yaml:"keep_within_daily,omitempty" doc:"The same for the newest snapshot of each of the days."`
	KeepWithinWeekly    string   `yaml:"keep_within_weekly,omitempty" doc:"The same for the newest snapshot of each of the weeks."`
	KeepWithinMonthly   string   `yaml:"keep_within_monthly,omitempty" doc:"The same for the newest snapshot of each of the months."`
	KeepWithinQuarterly string   `yaml:"keep_within_quarterly,omitempty" doc:"The same for the newest snapshot of each of the quarters."`
	KeepWithinYearly    string   `yaml:"keep_within_yearly,omitempty" doc:"The same for the newest snapshot of each of the years."`
	KeepTags            []string `yaml:"keep_tags,omitempty" doc:"Snapshots with one of these tags are kept."`
}

// Given reports whether any rule is set.
func (r *Retention) Given() bool {
	p, err := r.Policy()
	return err != nil || !p.Empty()
}

// Policy returns the policy in the settings.
func (r *Retention) Policy() (p retention.Policy, err error) {
	p = retention.Policy{
		Last: r.KeepLast, Hourly: r.KeepHourly, Daily: r.KeepDaily, Weekly: r.KeepWeekly, Monthly: r.KeepMonthly,
		Quarterly: r.KeepQuarterly, Yearly: r.KeepYearly,
	}
	for _, tag := range r.KeepTags {
		p.Tags = append(p.Tags, []string{tag})
	}
	for _, span := range []struct {
		text string
		to   *retention.Span
	}{
		{r.KeepWithin, &p.Within}, {r.KeepWithinHourly, &p.WithinHourly}, {r.KeepWithinDaily, &p.WithinDaily}, {r.KeepWithinWeekly, &p.WithinWeekly},
		{r.KeepWithinMonthly, &p.WithinMonthly}, {r.KeepWithinQuarterly, &p.WithinQuarterly}, {r.KeepWithinYearly, &p.WithinYearly},
	} {
		if span.text == "" {
			continue
		}
		if *span.to, err = retention.ParseSpan(span.text); err != nil {
			return p, err
		}
	}
	return p, nil
}

// Policies returns the policies in the settings, by set. Sets without rules are left out.
func (c *Config) Policies() (map[string]retention.Policy, error) {
	policies := map[string]retention.Policy{}
	for name, set := range c.Sets {
		if !set.Retention.Given() {
			continue
		}
		p, err := set.Retention.Policy()
		if err != nil {
			return nil, err
		}
		policies[name] = p
	}
	return policies, nil
}

func (r *Retention) check(d *decoder, path string) {
	for _, n := range []int{r.KeepLast, r.KeepHourly, r.KeepDaily, r.KeepWeekly, r.KeepMonthly, r.KeepQuarterly, r.KeepYearly} {
		if n < 0 {
			d.problemAt(path, "%d is not a number of snapshots", n)
		}
	}
	if _, err := r.Policy(); err != nil {
		d.problemAt(path, "%v", err)
	}
	if d.lines[path] != 0 && !r.Given() {
		d.problemAt(path, "keeps nothing: name how many snapshots to keep, or leave it out to keep all")
	}
}
