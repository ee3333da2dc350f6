// Package proto holds the contracts as data, for who serves or reads them as
// they are. The Go that is made of them lies beneath gen, one package a
// contract.
package proto

import _ "embed"

// OpenAPI describes the REST interface: OpenAPI 2.0, as JSON.
//
//go:embed gen/openapi/baton.swagger.json
var OpenAPI []byte
