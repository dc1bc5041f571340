//go:build soak

package main

// scarceVerbs is of which verbs that write one meets a full disk: each.
const scarceVerbs = 1

// scarceStep is how many pages or names more there are each time: one.
var scarceStep = soakStride

// scarceTerms is how often each of these verbs is asked to end.
var scarceTerms = max(1, 10/soakStride)

// scarceMega is how many MiB are backed up with little memory.
const scarceMega = 96

// patient: tests take the minutes that the program waits.
const patient = true
