package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/archive/store/storetest"
)

func TestASimulationInCalmWeatherHoldsTheContracts(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store {
		return storetest.NewSimulation(nil, 0).Client(storetest.Weather{})
	})
	storetest.RunLocker(t, func(*testing.T) storetest.Lockable {
		return storetest.NewSimulation(nil, 0).Client(storetest.Weather{})
	})
}

// Through retries the suite passes, apart from what can't be known after a lost answer: whose
// object a put has met.
func TestASimulationInBadWeatherHoldsTheContractThroughRetries(t *testing.T) {
	mishaps := []storetest.Mishap{storetest.Refused, storetest.TimedOut, storetest.Conflict, storetest.BrokenOff}
	storetest.Run(t, func(t *testing.T) store.Store {
		sim := storetest.NewSimulation(nil, 0)
		t.Cleanup(func() {
			if calls := sim.Calls(); calls > 200 && len(sim.Mishaps()) < 2 {
				t.Errorf("%d calls had no mishaps but %v", calls, sim.Mishaps())
			}
		})
		w := storetest.Weather{Seed: 1, Odds: 4, Of: mishaps}
		return retry.New(sim.Client(w), retry.Options{First: time.Microsecond})
	})
}

// fare tells what becomes of a row of calls.
func fare(t *testing.T, w storetest.Weather) (all []string) {
	c := storetest.NewSimulation(nil, 0).Client(w)
	for i := range 200 {
		name := fmt.Sprint("a/", i%20)
		body, err := get(t, c, name)
		all = append(all, fmt.Sprint(body, err, put(c, name, "what is kept")))
	}
	return all
}

func TestTheSameSeedFaresTheSame(t *testing.T) {
	w := storetest.Weather{Seed: 7, Odds: 3, Of: append(storetest.Silent, storetest.Curable...), Expires: 300}
	first, again := fare(t, w), fare(t, w)
	w.Seed = 8
	other := fare(t, w)
	differ := false
	for i := range first {
		if first[i] != again[i] {
			t.Errorf("call %d: %q, then %q", i, first[i], again[i])
		}
		differ = differ || first[i] != other[i]
	}
	if !differ {
		t.Error("another seed fares the same")
	}
}

func TestALatePutArrivesAfterOtherCalls(t *testing.T) {
	sim := storetest.NewSimulation(nil, 0)
	slow, quick := sim.Client(storetest.Weather{Odds: 1, Of: []storetest.Mishap{storetest.Late}}), sim.Client(storetest.Weather{})
	if err := put(slow, "a", "late"); !errors.Is(err, store.ErrUnreachable) {
		t.Fatalf("put: %v", err)
	}
	if _, err := get(t, quick, "a"); !errors.Is(err, store.ErrNotExist) {
		t.Fatalf("at once: %v, want ErrNotExist", err)
	}
	sim.Settle()
	if got, err := get(t, quick, "a"); err != nil || got != "late" {
		t.Errorf("after it arrived: %q, %v", got, err)
	}
}

func TestSilentMishapsChangeWhatIsRead(t *testing.T) {
	for _, m := range []storetest.Mishap{storetest.Truncated, storetest.Repeated, storetest.Flipped} {
		sim := storetest.NewSimulation(nil, 0)
		if err := put(sim.Client(storetest.Weather{}), "a", "0123456789abcdef"); err != nil {
			t.Fatal(err)
		}
		spoilt := 0
		c := sim.Client(storetest.Weather{Odds: 1, Of: []storetest.Mishap{m}})
		for range 20 {
			if got, err := get(t, c, "a"); err == nil && got != "0123456789abcdef" {
				spoilt++
			}
		}
		if spoilt < 10 || sim.Mishaps()[m] != 20 {
			t.Errorf("%v: %d of 20 were spoilt, counted %v", m, spoilt, sim.Mishaps())
		}
	}
}

func TestCredentialsExpireInTheMiddle(t *testing.T) {
	c := storetest.NewSimulation(nil, 0).Client(storetest.Weather{Expires: 3})
	for i, want := range []error{nil, nil, store.ErrDenied, store.ErrDenied} {
		if err := put(c, fmt.Sprint(i), "x"); !errors.Is(err, want) {
			t.Errorf("call %d: %v, want %v", i+1, err, want)
		}
	}
}

func TestSomethingElseHappensDuringACall(t *testing.T) {
	for seed := range uint64(8) {
		sim := storetest.NewSimulation(nil, 0)
		c := sim.Client(storetest.Weather{Seed: seed})
		first := false // whether the other was first
		c.During(1, func() { first = put(sim.Client(storetest.Weather{}), "a", "other") == nil })
		if err := put(c, "a", "own"); errors.Is(err, store.ErrExist) != first || err != nil && !first {
			t.Errorf("seed %d: %v, and the other was first: %v", seed, err, first)
		}
	}
}

func TestServersOfASimulationDateWithinTheSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := storetest.NewSimulation(nil, time.Minute)
		c, dates := sim.Client(storetest.Weather{}), map[time.Time]bool{}
		for i := range 6 {
			if err := put(c, fmt.Sprint(i), "x"); err != nil {
				t.Fatal(err)
			}
		}
		for info := range c.List(context.Background(), "", "") {
			if ahead := time.Until(info.Modified); ahead < 0 || ahead > time.Minute {
				t.Errorf("dated %v ahead", ahead)
			}
			dates[info.Modified] = true
		}
		if len(dates) != 3 {
			t.Errorf("%d dates, want 3", len(dates))
		}
	})
}

func BenchmarkSimulation(b *testing.B) {
	c := retry.New(storetest.NewSimulation(nil, 0).Client(storetest.Weather{Odds: 20}), retry.Options{First: 1})
	for i := 0; b.Loop(); i++ {
		name := fmt.Sprint("packs/", i)
		if err := put(c, name, "some bytes"); err != nil && !errors.Is(err, store.ErrExist) {
			b.Fatal(err)
		}
		if _, err := c.Get(b.Context(), name, 0, -1, nil); err != nil {
			b.Fatal(err)
		}
	}
}
