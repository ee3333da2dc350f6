// Package access promises that nobody does what their role does not allow.
// Who acts comes from the token of the call, never from its body. What may be
// called is a list (Policy): what is not on it is refused. The interceptors
// here also check every request against the rules of its contract and turn
// faults into gRPC statuses, so that no service does any of it by hand.
package access

import (
	"context"
	"slices"
)

// Roles, as the agreement and the roster spell them.
const (
	Marketing = "marketing"
	Sales     = "sales"
	Qualifier = "qualifier"
	Manager   = "manager"
	Arbiter   = "arbiter"
	Operator  = "operator"
	Auditor   = "auditor"
)

// AdminHandle is how the log names who acts with the admin token.
const AdminHandle = "admin"

// Roles lists all roles, in the order in which people read them.
func Roles() []string {
	return []string{Marketing, Sales, Qualifier, Manager, Arbiter, Operator, Auditor}
}

// IsRole says whether a word names a role.
func IsRole(word string) bool { return slices.Contains(Roles(), word) }

// Actor is who acts.
type Actor struct {
	// Handle is what the log calls them.
	Handle string
	// Roles are what they may act as.
	Roles []string
	// Admin acts with the admin token, which stands for every role.
	Admin bool
}

// Has says whether the actor has at least one of the roles. Admin has every
// role.
func (a Actor) Has(role ...string) bool {
	if a.Admin {
		return true
	}
	return slices.ContainsFunc(role, func(r string) bool { return slices.Contains(a.Roles, r) })
}

type actorKey struct{}

// With puts the actor into the context.
func With(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// From answers who acts; false when nobody has been recognised.
func From(ctx context.Context) (Actor, bool) {
	a, ok := ctx.Value(actorKey{}).(Actor)
	return a, ok
}
