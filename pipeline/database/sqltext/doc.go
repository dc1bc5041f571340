// Package sqltext takes SQL text apart as an engine's own lexer does, and holds
// statements that come from outside to patterns.
//
// A snapshot and a file bring statements along that somebody else wrote. Before
// one runs, the engine that replays it compares it with the few patterns that
// make an object of its kind: what does not fit exactly does not run. The lexers
// are stricter than the servers': text that could be read in two ways is refused.
package sqltext
