// Package crypto holds packstone's keys and what they do: age recipients and identities, the domain
// secret and all that follows from it, envelopes of packs, and signed notes.
//
// What each key gives whoever holds it:
//
//   - An age identity (R) opens every encrypted object: it restores, verifies and rebuilds. It can't
//     write or delete anything that others accept.
//   - The owner's Signer says which recipients, writers and roles count. It reads nothing.
//   - A WriterFile holds the domain secret D and a Signer. D names chunks, decides cuts and opens index
//     runs and refs, so its holder can test whether known contents are stored. The holder reads
//     no contents, not even their own, and signs for no other writer.
//   - A CollectorFile holds index identities and a Signer: enough to see which packs are needed, not to
//     read names or contents and not to test for known files.
//
// Encrypted objects are plain age v1 files (age-encryption.org/v1), and signed ones plain signed
// notes (C2SP signed-note, Ed25519), so both can be checked without this program. A repository is
// wholly post-quantum (MLKEM768-X25519 recipients) or wholly classic (X25519); the two can't be
// mixed.
//
// Secrets never show in output: every type here that holds one prints without it. The package
// relies on the operating system's random source and does no input or output of its own.
package crypto

import "errors"

var (
	// ErrWrongIdentity says that none of the given identities opens an object, or that a passphrase
	// is wrong. A header whose recipient lines are damaged gives the same error.
	ErrWrongIdentity = errors.New("the identity cannot read it")
	// ErrDamaged says that an encrypted object is malformed, cut short or changed.
	ErrDamaged = errors.New("damaged")
	// ErrSignature says that a note has no valid signature of an accepted key, or was signed for
	// another place than where it was found.
	ErrSignature = errors.New("invalid signature")
	// ErrMixed says that hybrid (post-quantum) and classic recipients were given together.
	ErrMixed = errors.New("hybrid post-quantum and classic recipients can't be mixed: a repository is wholly one or the other")
	// ErrPassphraseNeeded says that an identity file is protected and that there is no way to ask
	// for its passphrase.
	ErrPassphraseNeeded = errors.New("protected by a passphrase, which is missing")
)
