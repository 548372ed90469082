"""The actions of the API, one file per family. One action is one function; its signature is the request's schema."""
