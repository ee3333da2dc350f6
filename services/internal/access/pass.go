package access

import (
	"crypto/hmac"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Bearer knows whom a token belongs to by the token itself, for one method. A directory
// may be one as well; it is asked where the hash says nothing.
type Bearer interface {
	Bearer(token, method string) (Actor, bool)
}

// Bearer asks each directory that knows tokens by themselves.
func (ds Directories) Bearer(token, method string) (Actor, bool) {
	for _, d := range ds {
		if b, ok := d.(Bearer); ok {
			if a, ok := b.Bearer(token, method); ok {
				return a, true
			}
		}
	}
	return Actor{}, false
}

// passPrefix tells a pass from a token.
const passPrefix = "batonpass_"

// passFor is how long a pass is good: long enough for one call.
const passFor = time.Minute

// Passes let one service of ours make a call in the name of a member who answered it
// outside, such as by a link in a mail. A pass is good for one member, one method and a
// minute, in every process that shares our keys; what the member may do is decided
// where it always is, by the roles that they have at that moment.
type Passes struct {
	// MAC is the keyed hash that only our own processes can make.
	MAC func(purpose string, parts ...[]byte) []byte
	// Who answers a member who works here; false = nobody by that handle does.
	Who func(handle string) (Actor, bool)
	// Now tells the time.
	Now func() time.Time
}

// Pass makes a pass.
func (p *Passes) Pass(handle, method string) string {
	ends := strconv.FormatInt(p.Now().Add(passFor).Unix(), 10)
	return passPrefix + ends + "." + base64.RawURLEncoding.EncodeToString([]byte(handle)) + "." + base64.RawURLEncoding.EncodeToString(p.mac(ends, handle, method))
}

func (p *Passes) mac(ends, handle, method string) []byte {
	return p.MAC("pass", []byte(ends), []byte(handle), []byte(method))
}

// Lookup implements Directory: nobody keeps passes.
func (*Passes) Lookup([32]byte) (Actor, bool) { return Actor{}, false }

// Bearer answers who holds a pass.
func (p *Passes) Bearer(token, method string) (Actor, bool) {
	rest, ok := strings.CutPrefix(token, passPrefix)
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != 3 {
		return Actor{}, false
	}
	ends, err := strconv.ParseInt(parts[0], 10, 64)
	handle, herr := base64.RawURLEncoding.DecodeString(parts[1])
	mac, merr := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || herr != nil || merr != nil || !hmac.Equal(mac, p.mac(parts[0], string(handle), method)) || !p.Now().Before(time.Unix(ends, 0)) {
		return Actor{}, false
	}
	return p.Who(string(handle))
}
