"""The command line. (spine)"""
