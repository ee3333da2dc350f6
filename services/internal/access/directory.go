package access

import "crypto/subtle"

// Directory knows whom a token belongs to. Lookup must be cheap: it is asked on
// every call, and on every message of a stream, so that a person who is taken
// out loses access at once.
type Directory interface {
	Lookup(tokenHash [32]byte) (Actor, bool)
}

// Directories asks one after the other; the first that knows the token answers.
type Directories []Directory

// Lookup asks each directory in order.
func (ds Directories) Lookup(tokenHash [32]byte) (Actor, bool) {
	for _, d := range ds {
		if a, ok := d.Lookup(tokenHash); ok {
			return a, true
		}
	}
	return Actor{}, false
}

// Static knows one token for as long as the process lives.
type Static struct {
	hash  [32]byte
	actor Actor
}

// NewStatic makes a directory of one token.
func NewStatic(token string, a Actor) Static { return Static{hash: HashToken(token), actor: a} }

// NewAdmin makes the directory of the admin token, which stands for every role.
func NewAdmin(token string) Static {
	return NewStatic(token, Actor{Handle: AdminHandle, Roles: Roles(), Admin: true})
}

// Lookup compares in constant time.
func (s Static) Lookup(tokenHash [32]byte) (Actor, bool) {
	if subtle.ConstantTimeCompare(s.hash[:], tokenHash[:]) != 1 {
		return Actor{}, false
	}
	return s.actor, true
}
