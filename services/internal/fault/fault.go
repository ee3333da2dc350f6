// Package fault is the one vocabulary of failure. A fault has a kind that says
// what may be done about it and a text that says what is wrong, where, and what
// to do. Texts never hold anything personal. Only the doors (gRPC, HTTP, the
// command line) turn kinds into codes.
package fault

import (
	"errors"
	"fmt"
)

// Kind says what may be done about a fault.
type Kind int

// Kinds of fault, by what the caller can do.
const (
	// Unknown is a fault that nobody classified: try again, then set aside.
	Unknown Kind = iota
	// Invalid input stays invalid: correct it.
	Invalid
	// NotFound names a thing that is not there.
	NotFound
	// Denied is known who asks, and they may not.
	Denied
	// Unauthenticated is not known who asks.
	Unauthenticated
	// Conflict means that somebody was faster: look again.
	Conflict
	// State means that the thing is not in a state that allows it.
	State
	// Unavailable passes: try again later.
	Unavailable
	// Full means that a limit is reached: free something, then try again.
	Full
	// Corrupt means that stored data is damaged: stop and look.
	Corrupt
)

var names = [...]string{"unknown", "invalid", "not-found", "denied", "unauthenticated", "conflict", "state", "unavailable", "full", "corrupt"}

// String is the kind as one word, the same in logs, metrics and events.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// Error is a fault.
type Error struct {
	Kind  Kind
	Text  string
	Cause error
}

func (e *Error) Error() string { return e.Text }

// Unwrap answers the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New makes a fault. A %w in the format becomes its cause; the text holds it
// already.
func New(k Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: k, Text: err.Error(), Cause: errors.Unwrap(err)}
}

// Of answers the kind of an error; Unknown for a foreign one.
func Of(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Unknown
}

// Is says whether an error is a fault of that kind.
func Is(err error, k Kind) bool { return err != nil && Of(err) == k }
