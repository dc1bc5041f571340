package config

import (
	"strings"
	"testing"
	"time"
)

func noEnv(string) (string, bool) { return "", false }

func TestTheFirstEntryOfTheHourCounts(t *testing.T) {
	c, err := Parse("f.yaml", []byte(`version: 1
bandwidth:
  - {hours: "08:00-18:00", upload: 5MiB, download: 512}
  - {hours: "22:00-06:00"}
  - {upload: 20MiB}
`), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	for clock, want := range map[string][2]int64{
		"08:00": {5 << 20, 512 << 10}, "17:59": {5 << 20, 512 << 10}, "18:00": {20 << 20, 0}, "07:59": {20 << 20, 0}, "21:59": {20 << 20, 0},
		"22:00": {0, 0}, "00:00": {0, 0}, "05:59": {0, 0}, "06:00": {20 << 20, 0},
	} {
		at, err := time.Parse("15:04", clock)
		if err != nil {
			t.Fatal(err)
		}
		if up, down := c.BandwidthAt(at); up != want[0] || down != want[1] {
			t.Errorf("at %s: got %d and %d, want %d", clock, up, down, want)
		}
	}
}

func TestWhatNobodyCanMeanOfBandwidthAndPriorityIsTold(t *testing.T) {
	for text, want := range map[string]string{
		`bandwidth: [{hours: "8-18", upload: 5MiB}]`:                        `f.yaml:2: bandwidth: number 1: hours "8-18": want two times`,
		`bandwidth: [{hours: "08:00-08:00", upload: 5MiB}]`:                 `want two times`,
		`bandwidth: [{hours: "08:00-25:00", upload: 5MiB}]`:                 `want two times`,
		`bandwidth: [{upload: fast}]`:                                       `number 1: upload "fast": want a rate`,
		`bandwidth: [{upload: 0}]`:                                          `above 0`,
		`bandwidth: [{}]`:                                                   `number 1 is empty`,
		`bandwidth: [{upload: 1MiB}, {hours: "08:00-09:00", upload: 5MiB}]`: `put it last`,
		`nice: 20`:         `f.yaml:2: nice: is 20; want 0 to 19`,
		`ionice: realtime`: `ionice: is "realtime"`,
	} {
		_, err := Parse("f.yaml", []byte("version: 1\n"+text+"\n"), noEnv)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
