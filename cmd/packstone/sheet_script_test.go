package main

import (
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/packstone/packstone/crypto/sheet/sheettest"
)

// phone SVG FILE... writes what the QR codes of a sheet say to files, one for each code.
func phone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: phone SVG FILE...")
	}
	codes, err := sheettest.Codes([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	if len(codes) != len(args)-1 {
		ts.Fatalf("%s has %d codes, want %d", args[0], len(codes), len(args)-1)
	}
	for i, text := range codes {
		ts.Check(os.WriteFile(ts.MkAbs(args[i+1]), []byte(text+"\n"), 0o600))
	}
}
