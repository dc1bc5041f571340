//go:build soak

package main

// scarceVerbs is of which verbs that write one meets a full disk: each. scarceStep is how many pages
// or names more there are each time.
const (
	scarceVerbs = 1
	scarceStep  = 1
)

// scarceTerms is how often each of these verbs is asked to end.
const scarceTerms = 10

// scarceMega is how many MiB are backed up with little memory.
const scarceMega = 96

// patient: tests take the minutes that the program waits.
const patient = true
