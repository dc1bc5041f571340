package main

import (
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/packstone/packstone/pipeline/local/faulttest"
)

func init() {
	scriptCommands["mountfaults"] = mountFaults
	scriptCommands["fault"] = fault
}

// mountKey is where a script's environment keeps its mount.
type mountKey struct{}

// mountFaults DIR VAR mounts a directory with faults until the script ends, and sets the variable
// to where.
func mountFaults(ts *testscript.TestScript, neg bool, args []string) {
	t, ok := ts.Value(testKey{}).(testing.TB)
	if neg || !ok || len(args) != 2 {
		ts.Fatalf("usage: mountfaults DIR VAR")
	}
	m := faulttest.New(t, ts.MkAbs(args[0]), faulttest.Options{Inodes: "1"})
	ts.Setenv(args[1], m.Point)
	*ts.Value(mountKey{}).(**faulttest.Mount) = m
}

// fault RULE... gives the mount a rule of tools/faultfs; kill ends its server, unmount takes it
// away.
func fault(ts *testscript.TestScript, neg bool, args []string) {
	m := *ts.Value(mountKey{}).(**faulttest.Mount)
	if neg || len(args) == 0 || m == nil {
		ts.Fatalf("usage: fault RULE..., after mountfaults")
	}
	switch args[0] {
	case "kill":
		m.Kill()
	case "unmount":
		m.Unmount()
	default:
		m.Rule(strings.Join(args, " "))
	}
}
