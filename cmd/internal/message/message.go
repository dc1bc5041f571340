// Package message is what the verbs say of their work: the fields of their JSON, whose names are a
// contract with programs, and the same as text for people. A message holds plain values; nothing
// here reads a repository, or prints.
package message
