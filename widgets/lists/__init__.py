"""Lists, trees and tables."""
