package main

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
)

// keepFlags say which snapshots stay.
type keepFlags struct {
	policy retention.Policy
	tags   []string // lists with commas between them
}

func (k *keepFlags) register(flags *pflag.FlagSet) {
	p := &k.policy
	for _, c := range []struct {
		name string
		to   *int
		what string
	}{
		{"last", &p.Last, "the newest `n` snapshots"}, {"hourly", &p.Hourly, "the newest snapshot of each of `n` hours"},
		{"daily", &p.Daily, "the newest of each of `n` days"}, {"weekly", &p.Weekly, "the newest of each of `n` weeks"},
		{"monthly", &p.Monthly, "the newest of each of `n` months"}, {"quarterly", &p.Quarterly, "the newest of each of `n` quarters"},
		{"yearly", &p.Yearly, "the newest of each of `n` years"},
	} {
		flags.Var((*flagvalue.Count)(c.to), "keep-"+c.name, "keep "+c.what+"; unlimited: all")
	}
	for _, c := range []struct {
		name string
		to   *retention.Span
		what string
	}{
		{"", &p.Within, "snapshots"}, {"-hourly", &p.WithinHourly, "hourly ones"}, {"-daily", &p.WithinDaily, "daily ones"},
		{"-weekly", &p.WithinWeekly, "weekly ones"}, {"-monthly", &p.WithinMonthly, "monthly ones"},
		{"-quarterly", &p.WithinQuarterly, "quarterly ones"}, {"-yearly", &p.WithinYearly, "yearly ones"},
	} {
		flags.Var((*flagvalue.Span)(c.to), "keep-within"+c.name, "keep "+c.what+" that lie within this `time` before the newest, such as 1y6m or 14d")
	}
	flags.StringArrayVar(&k.tags, "keep-tag", nil, "keep snapshots with this `tag`, or with all of several with commas between them; may be repeated")
	flags.StringArrayVar(&p.IDs, "keep-id", nil, "keep the snapshot with this `id`; may be repeated")
}

// given is the policy that the flags ask for.
func (k *keepFlags) given() retention.Policy {
	p := k.policy
	for _, list := range k.tags {
		p.Tags = append(p.Tags, strings.Split(list, ","))
	}
	return p
}
