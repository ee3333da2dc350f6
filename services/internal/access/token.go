package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"google.golang.org/grpc/metadata"
)

// tokenPrefix lets people and secret scanners recognise a token that leaked.
const tokenPrefix = "baton_"

// tokenBytes is what a token holds of randomness.
const tokenBytes = 32

// NewToken makes a token of 256 random bits.
func NewToken() string { return tokenPrefix + randomText() }

// TokenOf writes a secret as a token. It must be one that nobody can guess: the
// keyed hash of what the token is for, so that asking again gives the same.
func TokenOf(secret [tokenBytes]byte) string {
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(secret[:])
}

// randomText is 256 random bits, safe in headers, cookies and shells.
func randomText() string {
	var b [tokenBytes]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// HashToken is what is kept of a token. A plain digest is enough: a token is
// random and too long to be guessed.
func HashToken(token string) [32]byte { return sha256.Sum256([]byte(token)) }

// wellFormed says whether a text can be a token at all.
func wellFormed(token string) bool {
	rest, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok {
		return false
	}
	b, err := base64.RawURLEncoding.DecodeString(rest)
	return err == nil && len(b) == tokenBytes
}

const authorization = "authorization"

// TokenCredentials sends a token with every call of a client connection.
type TokenCredentials struct {
	// Token is sent as `authorization: Bearer <token>`; empty = nothing is sent.
	Token string
	// RequireTLS refuses to send the token over a connection without TLS.
	RequireTLS bool
}

// GetRequestMetadata answers the header.
func (c TokenCredentials) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	if c.Token == "" {
		return nil, nil
	}
	return map[string]string{authorization: "Bearer " + c.Token}, nil
}

// RequireTransportSecurity says whether the token may only travel under TLS.
func (c TokenCredentials) RequireTransportSecurity() bool { return c.RequireTLS }

// String hides the token from whoever prints the credentials.
func (TokenCredentials) String() string { return "token credentials" }

// GoString hides the token from whoever prints the credentials.
func (TokenCredentials) GoString() string { return "access.TokenCredentials{}" }

// WithToken makes the calls of one context carry a token: for a client that
// acts for many people over one connection. It replaces a token set before.
func WithToken(ctx context.Context, token string) context.Context {
	md, ok := metadata.FromOutgoingContext(ctx)
	if !ok {
		md = metadata.MD{}
	}
	md.Set(authorization, "Bearer "+token) // FromOutgoingContext answered a copy
	return metadata.NewOutgoingContext(ctx, md)
}

// maxToken is longer than any token and short enough to hash at no cost.
const maxToken = 256

// bearer reads the token of an incoming call. Two headers are none: it would be
// open which of them counts.
func bearer(ctx context.Context) (string, bool) {
	values := metadata.ValueFromIncomingContext(ctx, authorization)
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	if !ok || !strings.EqualFold(scheme, "bearer") || token == "" || len(token) > maxToken {
		return "", false
	}
	return token, true
}
